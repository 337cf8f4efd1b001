"""The score function alone."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, ScoredSamples, Traits
from estimators.registry import register_control_variate

__all__ = ["Zero"]


@final
@register_control_variate("none")
@dataclass(frozen=True)
class Zero(ControlVariate):
    """No control variate."""

    @property
    def traits(self) -> Traits:
        return Traits(costs_alone=True)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        return torch.zeros_like(samples.cost)
