"""The sites of a guide and of a model: what they draw, and the terms of the ELBO that they add."""

from collections.abc import Callable
from typing import Any, final

import pyro.distributions as dist
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch.distributions import Distribution

from estimators.programs.faults import ProgramError
from estimators.pyro.plain import is_constant, plain

__all__ = ["GuideSites", "ModelSites"]

Site = dict[str, Any]
"""What Pyro's handlers are given at each `pyro.sample`."""


@final
class GuideSites(Messenger):
    """Draws the latent variables of a guide by `sample(name, q)`. A Delta has its value from the others."""

    def __init__(self, sample: Callable[[str, Distribution], Tensor]):
        super().__init__()
        self.draw = sample
        self.drawn = 0
        """How many variables have been drawn."""
        self.values: dict[str, Tensor] = {}
        self.after: dict[str, int] = {}
        """How many variables had been drawn by each site, itself included: its value depends on no others."""
        self.auxiliary: set[str] = set()
        """The sites that the model need not have."""
        self.terms: list[tuple[Tensor, int]] = []
        """log q of each site, and how many variables it depends on: the first so many."""

    def _pyro_sample(self, site: Site) -> None:
        name, q = site["name"], site["fn"]
        if _draws_nothing(site):
            return
        if site["is_observed"]:
            what = "pyro.factor" if isinstance(q, dist.Unit) else "an observation"
            raise ProgramError(f'"{name}" is {what} in the guide, which cannot be in a program: move it to the model')
        if is_constant(q):
            site["value"] = q()
        else:
            site["value"] = self.draw(name, plain(q))
            self.drawn += 1
        self.values[name], self.after[name] = site["value"], self.drawn
        if site["infer"].get("is_auxiliary"):
            self.auxiliary.add(name)

    def _pyro_post_sample(self, site: Site) -> None:
        if not _draws_nothing(site):
            self.terms.append((_log_density(site), self.drawn))


@final
class ModelSites(Messenger):
    """Gives a model the values that the guide has drawn."""

    def __init__(self, guide: GuideSites):
        super().__init__()
        self.guide, self.unseen = guide, guide.values.keys() - guide.auxiliary
        self.seen = 0
        """How many variables what was given to the model so far depends on: the first so many."""
        self.terms: list[tuple[Tensor, int]] = []
        """log p of each site, and how many variables it depends on."""

    def _pyro_sample(self, site: Site) -> None:
        name, p = site["name"], site["fn"]
        if _draws_nothing(site) or site["is_observed"]:
            return
        if name in self.guide.values:
            site["value"] = self.guide.values[name]
            self.seen = max(self.seen, self.guide.after[name])
            self.unseen = self.unseen - {name}
            if site["value"].shape != p.shape():
                there, here = list(site["value"].shape), list(p.shape())
                raise ProgramError(f'"{name}" has the shape {there} in the guide and {here} in the model')
        elif is_constant(p):
            site["value"] = p()
        elif site["infer"].get("enumerate"):
            raise ProgramError(
                f'the model sums over "{name}" (enumerate), which a program cannot: let the guide draw it'
            )
        else:
            raise ProgramError(f'the guide has no site "{name}", which the model has: draw it there too')

    def _pyro_post_sample(self, site: Site) -> None:
        if not _draws_nothing(site):
            self.terms.append((_log_density(site), self.seen))

    def check_all_seen(self) -> None:
        """ProgramError: the guide draws what the model does not have."""
        if self.unseen:
            name = min(self.unseen)
            raise ProgramError(
                f'the model has no site "{name}", which the guide has: name both alike, or say infer={{"is_auxiliary": '
                "True} in the guide"
            )


def _log_density(site: Site) -> Tensor:
    each = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
    return scale_and_mask(each, site["scale"], site["mask"]).sum()


def _draws_nothing(site: Site) -> bool:
    """Whether it is a deterministic site, or the indices of a plate. ProgramError: the plate takes part of its data."""
    if not site_is_subsample(site):
        return bool(site["infer"].get("_deterministic"))
    whole, part, given = site["fn"].size, site["fn"].subsample_size, site["value"]
    size = part if given is None else len(given)
    if size is not None and size < whole:
        raise ProgramError(
            f'the plate "{site["name"]}" takes {size} of {whole} data points, as a program cannot: give it all of them'
        )
    return True
