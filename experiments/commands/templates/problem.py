"""A problem, to minimise E[f(x)], x ~ q(x; θ): `gradmark rank my_problem.py`."""

from dataclasses import dataclass

import torch
from estimators import Params, Problem, register_problem
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

__all__ = ["MyProblem"]


@register_problem("my-problem")
@dataclass(frozen=True)
class MyProblem(Problem):
    r"""$f = \sum_i (x_i - k)^2$ under a diagonal Gaussian."""

    # Options, each with a default: `my-problem:dim=8,k=0`. With jumps in f, add
    # `differentiable: ClassVar[bool] = False`; where f is known at samples of q alone, as from an environment,
    # `sampled_only: ClassVar[bool] = True`.
    dim: int = 2
    k: float = 1.0

    def initial_params(self) -> Params:
        """θ where the gradient is measured."""
        return {"loc": torch.zeros(self.dim), "log_scale": torch.zeros(self.dim)}

    def distribution(self, params: Params) -> Distribution:
        """q. Parameters come with an axis of R replicates in front: [R, dim]."""
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        """f at S samples for each of R replicates: [S, R] for x of [S, R, dim]."""
        return ((x - self.k) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        """E[f] for each replicate, [R]: it gives the exact gradient.

        Delete it where it is not known: the gradient is then measured.
        """
        variance = (2 * params["log_scale"]).exp()
        return ((params["loc"] - self.k) ** 2 + variance).sum(-1)
