"""Separable costs of a diagonal Gaussian, with closed-form expectations. Mohamed et al. 2020, sec. 3."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["DiagonalGaussian", "GaussianCosine", "GaussianExponential", "GaussianQuadratic", "GaussianStep"]


@dataclass(frozen=True)
class DiagonalGaussian(Problem, ABC):
    r"""A diagonal Gaussian, all of whose dimensions start at the same loc and log_scale.

    $x \sim N(\mathrm{loc}, \exp(\mathrm{log\_scale})^2)$ in `dim` dimensions.
    """

    dim: int = 10
    loc: float = 1.0
    log_scale: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, dim=1)

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=4"]

    def initial_params(self) -> Params:
        return {
            "loc": torch.full((self.dim,), self.loc, dtype=torch.float64),
            "log_scale": torch.full((self.dim,), self.log_scale, dtype=torch.float64),
        }

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)


@final
@register_problem("gaussian-quadratic")
@dataclass(frozen=True)
class GaussianQuadratic(DiagonalGaussian):
    r"""A quadratic cost, the base case: every estimator's variance is known in closed form.

    `DiagonalGaussian` with $f = \sum_d (x_d - k)^2$.
    """

    k: float = 0.0

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return ((x - self.k) ** 2).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        return ((params["loc"] - self.k) ** 2 + (2 * params["log_scale"]).exp()).sum(-1)


@final
@register_problem("gaussian-exponential")
@dataclass(frozen=True)
class GaussianExponential(DiagonalGaussian):
    r"""A bounded cost, whose width against that of q decides which estimator wins.

    `DiagonalGaussian` with $f = \sum_d \exp(-k x_d^2)$.
    """

    k: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 0:
            raise ValueError(f"k must not be negative, since exp(−k x²) then has no expectation; it is {self.k}")

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (-self.k * x**2).exp().sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        width = 1 + 2 * self.k * (2 * params["log_scale"]).exp()
        return (width**-0.5 * (-self.k * params["loc"] ** 2 / width).exp()).sum(-1)


@final
@register_problem("gaussian-cosine")
@dataclass(frozen=True)
class GaussianCosine(DiagonalGaussian):
    r"""An oscillating cost: the faster it oscillates, the noisier is the pathwise estimator, unlike the score function.

    `DiagonalGaussian` with $f = \sum_d \cos(k x_d)$. The pathwise variance grows with $k^2$, while the score function's
    stays bounded.
    """

    k: float = 1.0

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (self.k * x).cos().sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        variance = (2 * params["log_scale"]).exp()
        return ((self.k * params["loc"]).cos() * (-(self.k**2) * variance / 2).exp()).sum(-1)


@final
@register_problem("gaussian-step")
@dataclass(frozen=True)
class GaussianStep(DiagonalGaussian):
    r"""A flat cost with a jump, to which pathwise estimators are blind.

    `DiagonalGaussian` with $f = \sum_d 1[x_d > k]$.
    """

    k: float = 0.0
    differentiable: ClassVar[bool] = False

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return (x > self.k).to(x.dtype).sum(-1)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        return torch.special.ndtr((params["loc"] - self.k) / params["log_scale"].exp()).sum(-1)

    def jumps(self, params: Params) -> Float[Tensor, "J R D"]:
        return torch.full_like(params["loc"], self.k).unsqueeze(0)
