"""Transformed distributions, e.g. normalizing flows: the forms of the base, pushed forward."""

from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions.utils import _sum_rightmost

from estimators.noise import NoiseSource
from estimators.sampling.families import Drawn, forms
from estimators.sampling.family import Family, register_family
from estimators.sampling.flows import pulled_back, single
from estimators.sampling.transforms import Forms, Through, Transform, unwrap


@final
@dataclass(frozen=True)
class Pushforward(Through):
    """Samples of a base distribution through the transforms of a `TransformedDistribution`."""

    base: Transform

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return self.base.noise(unwrap(q.base_dist), num_samples, source)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        x = self.base.sample(unwrap(q.base_dist), noise)
        for transform in q.transforms:
            x = transform(x)
        return x

    def drawn(self, q: Any, noise: Tensor) -> tuple[Tensor, ...]:
        """x, what each transform was applied to, that of the last first, and what the base sample was made of."""
        with torch.no_grad():
            found = self.base.drawn(unwrap(q.base_dist), noise)
            for transform in single(q.transforms):
                found = (transform(found[0]), *found)
        return found

    def log_density(self, q: Any, *drawn: Tensor) -> Tensor | None:
        """log p(z) − log |det J| at the base sample z; the last transforms, as far as none moves, are left out of J."""
        transforms = single(q.transforms)
        if type(q).log_prob is not td.TransformedDistribution.log_prob or not all(t.bijective for t in transforms):
            return None
        made_of = Drawn(drawn[len(transforms) :], self.base)
        back = pulled_back(transforms, drawn[: len(transforms) + 1], len(q.event_shape))
        z, log_jacobian = back or (None, 0.0)
        each = made_of.log_prob(q.base_dist, z)
        gained = sum(transform.codomain.event_dim - transform.domain.event_dim for transform in transforms)
        together = len(q.event_shape) - gained - len(q.base_dist.event_shape)
        return _sum_rightmost(each, together) - log_jacobian


def _forms(q: Any) -> Forms:
    return {name: Pushforward(form) for name, form in forms(q.base_dist).items()}


@register_family(td.TransformedDistribution)
def transformed() -> Family:
    return Family(forms=_forms)
