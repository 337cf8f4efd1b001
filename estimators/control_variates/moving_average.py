"""An exponential moving average of earlier costs as baseline."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, ScoredSamples, Traits, learned
from estimators.learning.moving_averages import check_decay, moved
from estimators.registry import register_control_variate

__all__ = ["MovingAverage"]


@final
@register_control_variate("moving-average")
@dataclass(frozen=True)
class MovingAverage(ControlVariate):
    r"""An exponential moving average of earlier costs as baseline, $b \leftarrow \beta b + (1-\beta) \bar f$.

    Unbiased, since it never contains the current samples: `update` follows the use. An average that includes them
    shrinks the gradient by $1 - (1-\beta)/S$. Before the first update the baseline is zero. Each variable of each data
    point has an average of its own; on another number of points those of a variable share their mean.
    Mnih & Gregor 2014.
    """

    decay: float = 0.9
    average: Tensor | None = learned()

    def __post_init__(self) -> None:
        check_decay(self.decay)

    @property
    def traits(self) -> Traits:
        return Traits(own_parameters=True, costs_alone=True)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        average = self._known(samples)
        return torch.zeros_like(samples.cost) if average is None else average * samples.score

    def update(self, samples: ScoredSamples) -> "MovingAverage":
        return replace(self, average=moved(self._known(samples), samples.cost.mean(0), self.decay))

    def _known(self, samples: ScoredSamples) -> Float[Tensor, "*V R"] | None:
        """The averages for these data points, which may be more or fewer than before."""
        if self.average is None or samples.cost.ndim == 2 or len(self.average) == samples.cost.shape[1]:
            return self.average
        several = len(samples.variables)
        shared = self.average.unflatten(0, (several, -1)).mean(1, keepdim=True)
        return shared.expand(-1, samples.cost.shape[1] // several, -1).flatten(0, 1)
