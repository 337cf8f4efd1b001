"""The negative ELBO of a model and a guide of Pyro."""

import inspect
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

from pyro.params.param_store import ParamStoreDict
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Params
from estimators.programs import Program
from estimators.programs.visits import Early, ProgramError
from estimators.pyro.parameters import Parameters, found_parameters
from estimators.pyro.sites import GuideSites, ModelSites

__all__ = ["NegativeELBO", "negative_elbo"]

Sample = Callable[[str, Distribution], Tensor]
Terms = list[tuple[Tensor, int]]


@final
@dataclass(frozen=True)
class Pair:
    """A model and a guide, which are called with the same data."""

    model: Callable[..., Any]
    guide: Callable[..., Any]
    parameters: Parameters = field(default_factory=Parameters)

    def terms(self, sample: Sample, data: tuple[Any, ...], named: dict[str, Any]) -> tuple[Terms, Terms]:
        """log q and log p of all sites, each with how many variables it depends on: the first so many."""
        with GuideSites(sample) as guide:
            self.guide(*data, **named)
        with ModelSites(guide) as model:
            self.model(*data, **named)
        model.check_all_seen()
        return guide.terms, model.terms


@final
@dataclass(frozen=True, init=False)
class NegativeELBO(Program):
    """log q(z) − log p(x, z), where z is drawn by the guide."""

    made_by: ClassVar[str] = "from_pyro(model, guide, …) of yours"
    title: str = field(init=False)
    pair: Pair = field(init=False, repr=False)
    arguments: tuple[Any, ...] = field(init=False, repr=False)
    """What model and guide are called with."""
    named: dict[str, Any] = field(init=False, repr=False)
    """The same by name."""

    def __init__(self, title: str, pair: Pair, data: tuple[Any, ...], named: dict[str, Any]):
        vars(self).update(title=title, pair=pair, arguments=data, named=named)

    @property
    def spec(self) -> str:
        return f"{self.title}, {self.begins}" if self.begins else self.title

    def initial_params(self) -> Params:
        return {name: value.clone() for name, value in self.pair.parameters.initial.items()}

    def run(self, params: Params, sample: Sample) -> Iterator[Early]:
        try:
            found = self.pair.parameters.given_to(lambda: self.pair.terms(sample, self.arguments, self.named), params)
        except KeyError as error:
            if not _of_the_store(error):
                raise
            raise ProgramError(
                f"model or guide reads Pyro's store of parameters: write pyro.param({error}) for {error} of the store"
            ) from error
        costs: dict[int, Any] = {}
        for terms, sign in zip(found, (1, -1), strict=True):
            for term, variables in terms:
                costs[variables] = costs.get(variables, 0.0) + sign * term
        for variables, cost in sorted(costs.items()):
            yield Early(cost, variables)


def negative_elbo(
    model: Callable[..., Any], guide: Callable[..., Any], data: tuple[Any, ...], named: dict[str, Any]
) -> NegativeELBO:
    """The program of a model and a guide. ProgramError: they cannot be one."""
    pair = Pair(model, guide)
    parameters = found_parameters(lambda: pair.terms(lambda name, q: q.sample(), data, named))
    problem = NegativeELBO(f"pyro-{_name(model)}", Pair(model, guide, parameters), data, named)
    assert problem.layout  # found here, so that what a program cannot have is said here
    return problem


def _of_the_store(error: KeyError) -> bool:
    """Whether it is raised by Pyro's store of parameters, which is there, but empty."""
    return traceback.extract_tb(error.__traceback__)[-1].filename == inspect.getfile(ParamStoreDict)


def _name(model: Any) -> str:
    """The name of a function, or of the class of an object: that of its methods too."""
    owner = getattr(model, "__self__", model)
    return getattr(owner, "__name__", type(owner).__name__).strip("<>").replace("_", "-").lower()
