"""What an estimator or a control variate takes and needs."""

from dataclasses import dataclass
from typing import Literal, final

__all__ = ["Traits"]


@final
@dataclass(frozen=True)
class Traits:
    """Properties that a component declares, so that a wrapper need not find them out by trial."""

    mechanism: Literal["", "pathwise", "score function"] = ""
    """What the estimate rests on. Estimators of one mechanism fail together, so that their agreement proves little."""
    leaves_score_out: bool = False
    """The estimate lacks a term with the score of q, whose mean is zero."""
    structured: bool = True
    """The samples are draws from one distribution, one by one, so that a structured source can place them."""
    independent_samples: bool = False
    """The claim holds for independent samples only: a structured source makes the estimate biased."""
    samples_of_q: bool = False
    """The claim holds only if all samples are from q, and not from a proposal."""
    differentiates_samples: bool = False
    """The samples have to be differentiable functions of the parameters."""
    own_parameters: bool = False
    """Every cost needs parameters of its own: they are moved, or figures are kept for each of them."""
    elsewhere: str = ""
    """Where the cost is evaluated beside draws of q at the given parameters, to follow "evaluates the cost": `at the
    mean of x`. Taken together, the points of an estimator that says nothing here are distributed as q."""
    costs_alone: bool = False
    """A control variate follows from costs, and from states before variables, and its gradient from scores: of several
    variables, each has its own."""
    log_weights: bool = False
    """Log-weights of a latent-variable problem are combined data point by data point."""

    @property
    def rests_on_score(self) -> bool:
        """The claim holds only where E[∇ log q(x)] = 0."""
        return self.mechanism == "score function" or self.leaves_score_out
