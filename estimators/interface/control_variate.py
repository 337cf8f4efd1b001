"""What a control variate is, and what one of the score function is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.batches import distinct
from estimators.interface.component import Component
from estimators.interface.estimator import Claim
from estimators.interface.latent import Observed
from estimators.interface.params import Params
from estimators.interface.problem import Problem
from estimators.interface.traits import Traits
from estimators.noise import NoiseSource
from estimators.sampling import families

__all__ = ["Control", "ControlVariate", "ScoredSamples"]


NOTHING = Traits()
"""What most controls need; made once, since every gradient asks."""


@dataclass(frozen=True)
class ScoredSamples:
    """Samples with their costs and scores, as a control variate sees them."""

    problem: Problem
    params: Params
    q: Distribution
    point: Params
    """`distinct(problem, params)`: where derivatives of the cost are taken."""
    path: Shaped[Tensor, "S R *E"]
    """The samples: functions of the parameters where the control variate asks for that, else constants."""
    drawn: families.Drawn
    """The samples, detached, with what they were made of: `drawn.log_prob(q)` is exact where x itself has rounded."""
    direct: Float[Tensor, "S R"]
    """The costs, with the gradient of their own dependence on the parameters."""
    cost: Float[Tensor, "S *V R"]
    """The costs, detached; of V variables of a program with `costs_alone`, those that each of them has."""
    score: Float[Tensor, "S *V R"]
    """log q(x) − stop_gradient(log q(x)): zero, with the score as its gradient."""
    variables: tuple[int, ...] = ()
    """Which variables of a program the V are, by their places."""
    whole: bool = False
    """Each of the V has the costs of the whole run, not only those that are known after it."""
    point_weight: float = 1.0
    """The weight of a data point in the costs: 1 where its score has it, as of costs that are credited to variables."""

    @property
    def x(self) -> Shaped[Tensor, "S R *E"]:
        """The samples, detached."""
        return self.drawn.x

    @classmethod
    def of(
        cls, problem: Problem, params: Params, samples: Tensor | families.Drawn, path: Tensor | None = None
    ) -> "ScoredSamples":
        """Samples `[S, R, *E]` with their costs and scores; `path`: the same as functions of the parameters."""
        if isinstance(samples, Tensor):
            path, samples = samples, families.Drawn((samples.detach(),))
        path = samples.x if path is None else path
        q = problem.distribution(params)
        log_q, direct = samples.log_prob(q), problem.cost_of(samples, params)
        score, point = log_q - log_q.detach(), distinct(problem, params)
        weight = problem.data_weight if isinstance(problem, Observed) else 1.0
        return cls(problem, params, q, point, path, samples, direct, direct.detach(), score, point_weight=weight)


class Control(Component, ABC):
    """A term of known, zero expected gradient that an estimator subtracts from its surrogate."""

    fits: ClassVar[str]
    """The estimator that takes it as its `control_variate`."""

    @property
    def traits(self) -> Traits:
        """What the control variate needs; `independent_samples` where a sample's term depends on the other samples."""
        return NOTHING

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        """Why it cannot be used here, as a sentence; None: it can."""
        return None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        """Whether the expected gradient of the term really is zero."""
        return "unbiased"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        """Evaluations of the cost beyond those of the samples."""
        return 0


class ControlVariate(Control):
    """A term of known, zero expected gradient that `score-function` subtracts from its surrogate."""

    fits: ClassVar[str] = "score-function"

    @abstractmethod
    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        """The term subtracted for each sample: value zero, and a gradient of mean zero under q given the others."""

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "ControlVariate":
        """See `Estimator.fit`; one that follows from costs alone (`Traits.costs_alone`) defines `taught`."""
        return self

    def update(self, samples: ScoredSamples) -> "ControlVariate":
        """See `Estimator.update`."""
        return self

    def taught(self, samples: ScoredSamples) -> "ControlVariate":
        """What `fit` learns from samples of its own; by default what a step does."""
        return self.update(samples)
