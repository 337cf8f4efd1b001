"""The score function alone."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, ScoredSamples
from estimators.registry import register_control_variate

__all__ = ["Zero"]


@final
@register_control_variate("none")
@dataclass(frozen=True)
class Zero(ControlVariate):
    """No control variate."""

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        return torch.zeros_like(samples.cost)
