"""A control variate of the score function. To try it:

gradmark check score-function:control_variate=my-control-variate --plugin my_control_variate.py
"""

from dataclasses import dataclass

from estimators import (
    Claim,
    ControlVariate,
    Problem,
    ScoredSamples,
    Traits,
    register_control_variate,
)
from torch import Tensor

__all__ = ["MyControlVariate"]


@register_control_variate("my-control-variate")
@dataclass(frozen=True)
class MyControlVariate(ControlVariate):
    r"""A share w of the other samples' mean cost as baseline.

    $b_s = w\, \frac{1}{S-1} \sum_{r \neq s} f(x_r)$.

    Unbiased for independent samples. Author & Author 2024.
    """

    # Options, each with a default: `my-control-variate:weight=0.5`.
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """The term of a sample depends on the other samples."""
        return Traits(independent_samples=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        """Why it cannot be used here, as a sentence."""
        return "it needs two samples or more" if num_samples < 2 else None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        """Whether its expected gradient is zero; `gradmark check` holds it to that."""
        return "unbiased"

    def term(self, samples: ScoredSamples) -> Tensor:
        """What is subtracted from the surrogate of each sample, [S, R]: zero in value."""
        cost = samples.cost  # [S, R], constants
        others = (cost.sum(0) - cost) / (len(cost) - 1)
        return self.weight * others * samples.score  # zero, with the score as gradient
