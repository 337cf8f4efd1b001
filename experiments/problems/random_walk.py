"""A walk that turns back more readily the farther it has gone."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["RandomWalk", "Walk"]


class Walk(Distribution):
    """The positions X₁ … Xₙ of a walk from X₀ = 0 in steps of ±1, P(+1) = exp(−X/p) from X; batch `[R]`, event `[n]`.

    It never falls below zero: P(+1) = 1 there.
    """

    arg_constraints = {"log_p": constraints.real}  # noqa: RUF012 # pyright: ignore
    support = constraints.independent(constraints.nonnegative_integer, 1)  # pyright: ignore

    def __init__(self, log_p: Tensor, steps: int, validate_args: bool | None = None):
        self.log_p, self.steps = log_p, steps
        super().__init__(log_p.shape, torch.Size([steps]), validate_args=validate_args)

    def sample(self, sample_shape=()) -> Tensor:
        with torch.no_grad():
            shape = self._extended_shape(torch.Size(sample_shape))
            u = torch.rand(shape, dtype=self.log_p.dtype, device=self.log_p.device)
            position, positions = torch.zeros_like(u[..., 0]), []
            for step in range(self.steps):
                rises = u[..., step] < (-position * (-self.log_p).exp()).exp()
                position = torch.where(rises, position + 1, position - 1)
                positions.append(position)
            return torch.stack(positions, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        before = torch.nn.functional.pad(value[..., :-1], (1, 0))
        hazard = before * (-self.log_p).exp().unsqueeze(-1)
        # At zero the walk cannot fall: the logarithm of 0 there is also kept out of the derivative.
        falls_from = torch.where(before > 0, hazard, 1.0)
        log_fall = (-torch.expm1(-falls_from)).log().masked_fill(before <= 0, -torch.inf)
        return torch.where(value > before, -hazard, log_fall).sum(-1)


@final
@register_problem("random-walk")
@dataclass(frozen=True)
class RandomWalk(Problem):
    r"""The squared end of a random walk that turns back more readily the farther it has gone: sequential and discrete.

    $x = (X_1, \dots, X_n)$ is a walk from 0 in n = `steps` steps of ±1, with $P(+1) = \exp(-X / p)$ at X, and $f =
    X_n^2$. The parameter is $\log p$, so that every real number is a walk; the derivative in p is that in $\log p$
    divided by p. The expectation is exact, by the transition matrix.
    Arya et al. 2022.
    """

    steps: int = 50
    p: float = 100.0

    def __post_init__(self) -> None:
        check_options(self, steps=1, p=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:p=10,steps=10"]

    def initial_params(self) -> Params:
        return {"log_p": torch.tensor(math.log(self.p), dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Walk(params["log_p"], self.steps)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return x[..., -1] ** 2

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        rate = (-params["log_p"]).exp().unsqueeze(-1)
        position = torch.arange(self.steps + 1, dtype=rate.dtype, device=rate.device)
        rise, fall = (-position * rate).exp(), -torch.expm1(-position * rate)
        transition = rise[:, :-1].diag_embed(1) + fall[:, 1:].diag_embed(-1)
        cost = (position**2).expand(len(rate), -1).unsqueeze(-1)
        for _ in range(self.steps):
            cost = transition @ cost
        return cost[:, 0, 0]
