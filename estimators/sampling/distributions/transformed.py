"""Transformed distributions, e.g. normalizing flows: the forms of the base, pushed forward."""

from dataclasses import dataclass
from typing import Any, final

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.families import forms
from estimators.sampling.family import Family, register_family
from estimators.sampling.transforms import Forms, Transform, unwrap


@final
@dataclass(frozen=True)
class Pushforward(Transform):
    """Samples of a base distribution through the transforms of a `TransformedDistribution`."""

    base: Transform

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        return self.base.differentiable

    @property
    def fixed_noise(self) -> bool:  # pyright: ignore
        return self.base.fixed_noise

    @property
    def structured(self) -> bool:  # pyright: ignore
        return self.base.structured

    @property
    def seeded(self) -> bool:  # pyright: ignore
        return self.base.seeded

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        return self.base.noise(unwrap(q.base_dist), num_samples, source)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        x = self.base.sample(unwrap(q.base_dist), noise)
        for transform in q.transforms:
            x = transform(x)
        return x


def _forms(q: Any) -> Forms:
    return {name: Pushforward(form) for name, form in forms(q.base_dist).items()}


@register_family(td.TransformedDistribution)
def transformed() -> Family:
    return Family(forms=_forms)
