"""Local signals: each data point's score weighed by its own cost."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.bounds.bound import Bound
from estimators.control_variates.leave_one_out import LeaveOneOut
from estimators.interface import Claim, Estimator, LatentVariableProblem, Noise, Params, Problem, replicated
from estimators.noise import IID, NoiseSource
from estimators.registry import register_estimator
from estimators.score_function import ScoreFunction
from estimators.wrappers.data_points import DataPoints

__all__ = ["PerDataPoint"]


@final
@register_estimator("per-data-point")
@dataclass(frozen=True)
class PerDataPoint(Estimator):
    r"""The base estimator on the cost of each data point of a latent-variable problem, summed,

    $$\sum_n \hat g\big[f_n\big], \qquad f_n(z_n) = \log q(z_n|x_n) - \log p(x_n, z_n).$$

    On the whole problem the plain estimators weigh the score of every $z_n$ by the cost of all data points, of which
    those of the others are noise alone. Keeps the target and the claim of its base, at the same evaluations. The costs
    share their parameters, so that a base that moves these, or keeps figures for each of them, does not fit.
    Mnih & Gregor 2014, sec. 2.3 (local learning signals).
    """

    base: Estimator = field(default_factory=lambda: ScoreFunction(LeaveOneOut()))

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, *(f"{cls.name}:base={base}" for base in ("disarm", "gumbel-softmax", "unordered-set"))]

    @property
    def structured(self) -> bool:  # pyright: ignore
        return self.base.structured

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, LatentVariableProblem):
            return "per-data-point needs a latent-variable problem, whose cost is a sum over data points"
        if isinstance(self.base, Bound):
            return f"{self.base.name} is a bound, which is formed for each data point already"
        reason = self.base.unsupported(DataPoints(problem), num_samples)
        if reason or _shares_parameters(self.base, problem, num_samples):
            return reason
        return f"{self.base.spec} needs parameters of its own for each cost, and those of data points share theirs"

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return self.base.claim(_points(problem), num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        return self.base.draw(_points(problem), _separate(params), num_samples, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        each = self.base.surrogate(_points(problem), _separate(params), noise)
        return each.unflatten(0, (_replicates(params), -1)).sum(1)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return self.base.evaluations(_points(problem), num_samples)

    def needs_independent_samples(self) -> bool:
        return self.base.needs_independent_samples()

    def estimates_cost(self, problem: Problem) -> bool:
        return self.base.estimates_cost(_points(problem))

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        """Means over the data points."""
        found = self.base.diagnostics(_points(problem), _separate(params), noise)
        return {name: value.unflatten(0, (_replicates(params), -1)).mean(1) for name, value in found.items()}

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "PerDataPoint":
        fitted = self.base.fit(_points(problem), _separate(params), num_samples, source)
        return self if fitted is self.base else replace(self, base=fitted)

    def update(self, problem: Problem, params: Params, noise: Noise) -> "PerDataPoint":
        updated = self.base.update(_points(problem), _separate(params), noise)
        return self if updated is self.base else replace(self, base=updated)


def _points(problem: Problem) -> DataPoints:
    assert isinstance(problem, LatentVariableProblem)
    return DataPoints(problem)


def _replicates(params: Params) -> int:
    return len(next(iter(params.values())))


def _separate(params: Params) -> Params:
    """Replicates that are one point by construction look like others: one point does not make one data point."""
    return {name: value.contiguous() if value.stride(0) == 0 else value for name, value in params.items()}


@lru_cache(maxsize=256)
def _shares_parameters(base: Estimator, problem: LatentVariableProblem, num_samples: int) -> bool:
    """Whether the base gives, as learned too, what it gives where each of two data points has its own parameters."""
    exact = problem.to("cpu", torch.float64)
    assert isinstance(exact, LatentVariableProblem)
    data, start = exact.observation.flatten(0, -2)[[0, -1]], replicated(exact.initial_params(), 1)
    together = DataPoints(exact.conditioned(data, 1.0))
    apart = DataPoints(exact.conditioned(data.repeat(2, 1).unsqueeze(1), 1.0))
    pair = {name: torch.cat([value, 1.001 * value]) for name, value in start.items()}
    copies = {name: value.repeat_interleave(2, 0) for name, value in pair.items()}
    source = IID(0, dtype=torch.float64)
    try:
        noise = base.draw(together, pair, num_samples, source)
        for one in (base, base.fit(together, start, num_samples, source)):
            found, wanted = one.gradient(together, pair, noise), one.gradient(apart, copies, noise)
            for name, value in found.items():
                torch.testing.assert_close(value, wanted[name].unflatten(0, (2, 2)).sum(1), rtol=1e-8, atol=1e-8)
    except Exception:  # shapes that do not fit, most often
        return False
    return True
