"""Toys with binary variables."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["BernoulliSharedLogit", "BernoulliToy"]

MAX_ENUMERATED = 16


def binary_states(bits: int, like: Tensor) -> Float[Tensor, "K bits"]:
    """All 2^bits joint states, in the dtype and on the device of another tensor."""
    index = torch.arange(2**bits, device=like.device)
    return ((index[:, None] >> torch.arange(bits, device=like.device)) & 1).to(like.dtype)


@final
@register_problem("bernoulli-toy")
@dataclass(frozen=True)
class BernoulliToy(Problem):
    r"""Independent bits with a separable quadratic cost: little gradient against much noise.

    $b \sim \mathrm{Bernoulli}(\sigma(\ell))$ in `dim` dimensions, $f = \frac1D \sum_d (b_d - t)^2$. With $t = 0.499$
    and many dimensions the gradient nearly vanishes against the noise of the score function.

    Tucker et al. 2017 and Grathwohl et al. 2018 (dim = 1); Titsias & Shi 2022 (dim = 200).
    """

    dim: int = 200
    t: float = 0.499
    logit: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1)

    @classmethod
    def variants(cls) -> list[str]:
        return ["bernoulli-toy:dim=4,logit=0.5,t=0.1"]

    def initial_params(self) -> Params:
        return {"logits": torch.full((self.dim,), self.logit, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Bernoulli(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return ((x - self.t) ** 2).mean(-1)

    def support(self, params: Params) -> Tensor | None:
        if self.dim > MAX_ENUMERATED:
            return None
        states = binary_states(self.dim, params["logits"])
        return states[:, None].expand(-1, len(params["logits"]), -1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        probs = params["logits"].sigmoid()
        return (probs * (1 - self.t) ** 2 + (1 - probs) * self.t**2).mean(-1)


@final
@register_problem("bernoulli-shared-logit")
@dataclass(frozen=True)
class BernoulliSharedLogit(Problem):
    r"""Three bits with one logit: at logit −4 the gradient comes from rare states.

    $f = \sum_d (b_d - t_d)^2$ with $t = (0.6, 0.51, 0.48)$.

    Liu et al. 2019; Kool, van Hoof & Welling 2020.
    """

    logit: float = 0.0

    def __post_init__(self) -> None:
        check_options(self)

    def initial_params(self) -> Params:
        return {"logit": torch.tensor(self.logit, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Bernoulli(logits=params["logit"].unsqueeze(-1).expand(-1, 3)), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return sum((x[..., bit] - centre) ** 2 for bit, centre in enumerate((0.6, 0.51, 0.48)))  # type: ignore[return-value]

    def support(self, params: Params) -> Tensor:
        return binary_states(3, params["logit"])[:, None].expand(-1, len(params["logit"]), -1)
