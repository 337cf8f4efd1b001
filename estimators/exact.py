"""The exact gradient, as an estimator without noise."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem, attached, distinct, in_range, start
from estimators.noise import NoiseSource
from estimators.registry import register_estimator

__all__ = ["Exact"]


@final
@register_estimator("exact")
@dataclass(frozen=True)
class Exact(Estimator):
    r"""The exact gradient $\nabla_\theta \mathbb{E}[f]$, by formula, quadrature or enumeration: the yardstick.

    Unbiased, variance zero. Needs a problem that knows its expected cost. The surrogate is
    $\sum_i g_i (\theta_i - \mathrm{sg}\,\theta_i)$, whose value is zero.
    """

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        known = problem.exact_gradient(start(problem)) is not None
        return None if known else f"the exact gradient of {problem.name or 'the problem'} is not known"

    def estimates_cost(self, problem: Problem) -> bool:
        return False

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        exact = problem.exact_gradient(distinct(problem, params))
        assert exact is not None
        return {name: exact[name].to(value.dtype).expand_as(value) for name, value in params.items()}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return torch.stack([attached(noise[name], in_range(value)) for name, value in params.items()]).sum(0)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        """One for each state where the expected cost is the sum over all states; a formula takes none."""
        exact, params = problem.to("cpu", torch.float64), start(problem)
        states = exact.summed_states(params) if exact.expected_cost(params) is None else None
        return 0 if states is None else len(states)
