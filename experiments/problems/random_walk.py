"""A walk that turns back more readily the farther it has gone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution

from estimators import Params, Program, register_problem
from estimators.sampling.states import CERTAIN
from experiments.problems.options import check_options

__all__ = ["RandomWalk"]


@final
@register_problem("random-walk")
@dataclass(frozen=True)
class RandomWalk(Program):
    r"""The squared end of a random walk that turns back more readily the farther it has gone: sequential and discrete.

    A walk from $X_0 = 0$ in n = `steps` steps of ±1, with $P(+1) = \exp(-X / p)$ at X, so that it never falls below
    zero, and $f = X_n^2$. The parameter is $\log p$, so that every real number is a walk; the derivative in p is that
    in $\log p$ divided by p. The expectation is exact, by the transition matrix.
    Arya et al. 2022.
    """

    steps: int = 50
    p: float = 100.0
    cost_depends_on_params: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self, steps=1, p=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:p=10,steps=10"]

    def initial_params(self) -> Params:
        return {"log_p": torch.tensor(math.log(self.p), dtype=torch.float64)}

    def run(self, params: Any, sample: Callable[[str, Distribution], Any]) -> Any:
        rate = (-params["log_p"]).exp()
        position = torch.zeros_like(rate)
        for step in range(self.steps):
            # Not only the value at zero but also its derivative is kept out.
            hazard = torch.where(position > 0, position, 1) * rate
            logit = torch.where(position > 0, -hazard - (-torch.expm1(-hazard)).log(), CERTAIN)
            position = position + 2 * sample(f"step{step}", Bernoulli(logits=logit)) - 1
        return position**2

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        rate = (-params["log_p"]).exp().unsqueeze(-1)
        position = torch.arange(self.steps + 1, dtype=rate.dtype, device=rate.device)
        rise, fall = (-position * rate).exp(), -torch.expm1(-position * rate)
        transition = rise[:, :-1].diag_embed(1) + fall[:, 1:].diag_embed(-1)
        cost = (position**2).expand(len(rate), -1).unsqueeze(-1)
        for _ in range(self.steps):
            cost = transition @ cost
        return cost[:, 0, 0]
