"""One scale in three parameterizations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Exponential, Independent, Normal
from torch.nn.functional import softplus

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["LogParameterization"]


@dataclass(frozen=True)
class Parameterization:
    """A scale as a function of an unconstrained parameter."""

    parameter: str
    inverse: Callable[[Tensor], Tensor]
    scale: Callable[[Tensor], Tensor]


def _softplus(theta: Tensor) -> Tensor:
    """Softplus without torch's step to θ beyond 20, which float64 can see."""
    return softplus(theta, threshold=40)


def _inverse_softplus(scale: Tensor) -> Tensor:
    """log(exp(s) − 1) without overflow at large s or cancellation at small s."""
    return scale + (-torch.expm1(-scale)).log()


PARAMETERIZATIONS = {
    "scale": Parameterization("scale", torch.clone, torch.clone),
    "log-scale": Parameterization("log_scale", torch.log, torch.exp),
    "softplus": Parameterization("inverse_softplus_scale", _inverse_softplus, _softplus),
}
FAMILIES: dict[str, tuple[Callable[[Tensor], Any], float]] = {
    "gaussian": (lambda scale: Normal(torch.zeros_like(scale), scale), 1.0),
    "exponential": (lambda scale: Exponential(1 / scale), 2.0),
}
"""The distribution of a scale, and E[x²] / scale²."""


@final
@register_problem("log-parameterization")
@dataclass(frozen=True)
class LogParameterization(Problem):
    r"""The square of a variable, differentiated in a scale that is parameterized in one of three ways.

    $x \sim N(0, s^2)$ or $\mathrm{Exp}(1 / s)$ in `dim` dimensions, $f = \sum_d x_d^2$. The parameter is the scale s
    itself, its logarithm, or its inverse softplus $\log(e^s - 1)$: from scales of 1e-6 to 1e6, in float32, the size of
    the gradient and what overflows depend on which it is.
    $\mathbb{E}[f] = \sum_d s_d^2$ for the Gaussian, $\sum_d 2 s_d^2$ for the exponential.
    """

    dim: int = 10
    family: Literal["gaussian", "exponential"] = "gaussian"
    parameterization: Literal["scale", "log-scale", "softplus"] = "log-scale"
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, scale=0)

    @classmethod
    def variants(cls) -> list[str]:
        return [
            f"{cls.name}:dim=2",
            f"{cls.name}:dim=2,family=exponential,parameterization=softplus",
            f"{cls.name}:dim=2,parameterization=scale",
        ]

    def initial_params(self) -> Params:
        kind = PARAMETERIZATIONS[self.parameterization]
        return {kind.parameter: kind.inverse(torch.full((self.dim,), self.scale, dtype=torch.float64))}

    def distribution(self, params: Params) -> Distribution:
        family, _ = FAMILIES[self.family]
        return Independent(family(self._scale(params)), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (x**2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        _, second_moment = FAMILIES[self.family]
        return (second_moment * self._scale(params) ** 2).sum(-1)

    def _scale(self, params: Params) -> Tensor:
        kind = PARAMETERIZATIONS[self.parameterization]
        return kind.scale(params[kind.parameter])
