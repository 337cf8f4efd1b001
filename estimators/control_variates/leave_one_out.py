"""The mean cost of the other samples as baseline."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.expansions import others
from estimators.interface import ControlVariate, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.registry import register_control_variate

__all__ = ["LeaveOneOut"]


@final
@register_control_variate("leave-one-out")
@dataclass(frozen=True)
class LeaveOneOut(ControlVariate):
    r"""The mean cost of the other samples as baseline, $b_s = \frac{1}{S-1} \sum_{r \neq s} f(x_r)$.

    The estimate is $\frac{1}{S-1} \sum_s (f_s - \bar f)\, \nabla \log q(x_s)$.
    Unbiased for independent samples; S of at least 2.

    Salimans & Knowles 2014; Kool, van Hoof & Welling 2019.
    """

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return at_least(2, num_samples, self.name)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        return others(samples.cost) * samples.score
