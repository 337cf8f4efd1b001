"""The score function as a surrogate that can be differentiated more than once."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.leave_one_out import LeaveOneOut
from estimators.control_variates.none import Zero
from estimators.interface import Estimator, Noise, Params, Problem, Traits, hessian_product
from estimators.interface.refusals import at_least, score
from estimators.interface.smooth import smooth_in_parameters
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.score_function import ScoreFunction

__all__ = ["Baseline", "DiCE"]

Baseline = Literal["none", "leave-one-out"]


@final
@register_estimator("dice")
@dataclass(frozen=True)
class DiCE(Estimator):
    r"""The score function whose surrogate has unbiased derivatives of every order: Hessians, meta-gradients.

    The surrogate is $\frac1S \sum_s \big( m_s f(x_s, \theta) + (1 - m_s) b_s \big)$ with
    $m = \exp(\log q(x; \theta) - \mathrm{stop\_gradient}(\log q(x; \theta)))$, which is 1 and whose n-th derivative is
    $\nabla^n q / q$. The baseline $b_s$ is zero, or the mean cost of the other samples (`leave-one-out`), and constant.

    Its gradients are those of `score-function`, whose own surrogate has a second derivative without
    $f \, \nabla \log q \, \nabla \log q^\top$: it is not the Hessian. `hessian_product` is for large models. A program
    of several variables is weighed by its whole cost.

    Unbiased for any q with a density whose support does not move, any cost; Hessians where the slopes of both in the
    parameters do not jump (a Laplace distribution's do).
    Foerster et al. 2018; Mao et al. 2019.
    """

    baseline: Baseline = "none"

    @classmethod
    def variants(cls) -> list[str]:
        return ["dice", "dice:baseline=leave-one-out"]

    @property
    def of_first_order(self) -> ScoreFunction:
        """The estimator that has the same gradients."""
        return ScoreFunction(Zero() if self.baseline == "none" else LeaveOneOut())

    @property
    def traits(self) -> Traits:
        return Traits("score function", independent_samples=self.baseline != "none")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        least = 1 if self.baseline == "none" else 2
        return score(problem) or at_least(least, num_samples, self.spec)

    def unsupported_twice(self, problem: Problem) -> str | None:
        return smooth_in_parameters(problem)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = problem.distribution(params)
        samples = families.drawn(q, noise)
        log_q, cost = samples.log_prob(q), problem.cost_of(samples, params)
        magic = (log_q - log_q.detach()).exp()
        if self.baseline == "none":
            return (magic * cost).mean(0)
        fixed = cost.detach()
        others = (fixed.sum(0) - fixed) / (len(fixed) - 1)
        return (magic * cost + (1 - magic) * others).mean(0)

    def hessian_product(self, problem: Problem, params: Params, noise: Noise, direction: Params) -> Params:
        """Estimates of the Hessian times a direction `[R, *shape]`, one for each replicate, without the Hessian."""
        point = {name: value.detach().requires_grad_() for name, value in params.items()}
        with torch.enable_grad():
            return hessian_product(self.surrogate(problem, point, noise).sum(), point, direction)
