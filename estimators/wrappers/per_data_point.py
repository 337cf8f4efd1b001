"""Local signals: each data point's score weighed by its own cost."""

from dataclasses import dataclass, field
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.leave_one_out import LeaveOneOut
from estimators.interface import Estimator, LatentVariableProblem, Noise, Params, Problem, Wrapper
from estimators.registry import register_estimator
from estimators.score_function import ScoreFunction
from estimators.wrappers.data_points import DataPoints

__all__ = ["PerDataPoint"]


@final
@register_estimator("per-data-point")
@dataclass(frozen=True)
class PerDataPoint(Wrapper):
    r"""The base estimator on the cost of each data point of a latent-variable problem, summed,

    $$\sum_n \hat g\big[f_n\big], \qquad f_n(z_n) = \log q(z_n|x_n) - \log p(x_n, z_n).$$

    On the whole problem the plain estimators weigh the score of every $z_n$ by the cost of all data points; the costs
    of the other data points add nothing but noise. Keeps the target and the claim of its base, at the same evaluations.
    The costs share their parameters, so that a base that moves parameters, or keeps figures for each, does not fit.
    Mnih & Gregor 2014, sec. 2.3 (local learning signals).
    """

    base: Estimator = field(default_factory=lambda: ScoreFunction(LeaveOneOut()))

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, *(f"{cls.name}:base={base}" for base in ("disarm", "gumbel-softmax", "unordered-set"))]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, LatentVariableProblem):
            return "per-data-point needs a latent-variable problem, whose cost is a sum over data points"
        if self.base.traits.log_weights:
            return f"{self.base.name} is a bound, which is formed for each data point already"
        if reason := super().unsupported(problem, num_samples):
            return reason
        if self.base.traits.own_parameters:
            return f"{self.base.spec} needs parameters of its own for each cost, and those of data points share theirs"
        return None

    def seen_problem(self, problem: Problem) -> DataPoints:
        assert isinstance(problem, LatentVariableProblem)
        return DataPoints(problem)

    def seen_params(self, params: Params) -> Params:
        """Copy rows that `replicated` shares (stride 0).

        An estimator then does not treat the data points of a replicate as one.
        """
        return {name: value.contiguous() if value.stride(0) == 0 else value for name, value in params.items()}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return super().surrogate(problem, params, noise).unflatten(0, (_replicates(params), -1)).sum(1)

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        """Means over the data points."""
        found = super().diagnostics(problem, params, noise)
        return {name: value.unflatten(0, (_replicates(params), -1)).mean(1) for name, value in found.items()}


def _replicates(params: Params) -> int:
    return len(next(iter(params.values())))
