"""A Gaussian, two layers of bits and another Gaussian, each drawn given those before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Normal
from torch.nn.functional import logsigmoid

from estimators import Params, Program, register_problem
from experiments.problems.bernoulli import binary_states
from experiments.problems.options import check_options
from experiments.problems.quadrature import gaussian_nodes

__all__ = ["Layers"]

MAX_BITS = 5


@final
@register_problem("layers")
@dataclass(frozen=True)
class Layers(Program):
    r"""Continuous and discrete variables in turn, which want different estimators: two Gaussians, two layers of bits.

    $z \sim N(\mu, \sigma^2)$, then `bits` bits whose logits are linear in z, then as many whose logits are linear in
    those, and $x \sim N(w \cdot b_2, s^2)$. $f = (z - 1)^2 / 2 + \sum_i (b_{1,i} - 0.4)^2 + (1 + \bar b_2)(x - z)^2$,
    whose terms are known after z, after the first layer and after x. Exact for up to 5 bits a layer, by a quadrature
    over z and x and a sum over the bits.
    Schulman et al. 2015; van Krieken et al. 2021.
    """

    bits: int = 3
    cost_depends_on_params: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self, bits=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:bits=2"]

    def initial_params(self) -> Params:
        one = torch.zeros((), dtype=torch.float64)
        wave = (2 * torch.arange(1.0, self.bits**2 + 1, dtype=torch.float64)).sin().reshape(self.bits, self.bits)
        first = {"loc": one + 0.3, "log_scale": one - 0.5, "slope": wave[0], "logits": 0.5 * wave[-1]}
        return first | {"weight": wave, "bias": -0.5 * wave[0], "out": 1 + 0.5 * wave[0], "out_log_scale": one - 1}

    def run(self, params: Any, sample: Callable[[str, Distribution], Any]) -> Any:
        z = sample("z", Normal(params["loc"], params["log_scale"].exp()))
        yield (z - 1) ** 2 / 2
        first = sample("first", Bernoulli(logits=params["slope"] * z + params["logits"]))
        yield ((first - 0.4) ** 2).sum()
        second = sample("second", Bernoulli(logits=first @ params["weight"] + params["bias"]))
        x = sample("x", Normal(second @ params["out"], params["out_log_scale"].exp()))
        yield (1 + second.mean()) * (x - z) ** 2

    def expected_cost(self, params: Params) -> Float[Tensor, " R"] | None:
        if self.bits > MAX_BITS:
            return None
        nodes, weights = gaussian_nodes(params["loc"])
        bits = binary_states(self.bits, nodes)  # [K, bits]
        z = params["loc"].unsqueeze(-1) + params["log_scale"].exp().unsqueeze(-1) * nodes  # [R, Q]
        of_first = _probabilities(z[..., None] * params["slope"][:, None] + params["logits"][:, None], bits)
        of_second = _probabilities(bits @ params["weight"] + params["bias"][:, None], bits)
        x = (params["out"] @ bits.T)[..., None] + params["out_log_scale"].exp()[:, None, None] * nodes  # [R, K, Q]
        end = (1 + bits.mean(-1)) * ((x[:, None] - z[:, :, None, None]) ** 2 @ weights)  # [R, Q, K]
        from_first = ((bits - 0.4) ** 2).sum(-1) + end @ of_second.mT
        return ((z - 1) ** 2 / 2 + (of_first * from_first).sum(-1)) @ weights


def _probabilities(logits: Float[Tensor, "*B bits"], states: Float[Tensor, "K bits"]) -> Float[Tensor, "*B K"]:
    """Those of all states of bits with given logits."""
    return (logsigmoid(logits) @ states.T + logsigmoid(-logits) @ (1 - states).T).exp()
