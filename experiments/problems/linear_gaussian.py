"""A linear Gaussian model, of which everything is known."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import LatentVariableProblem, Params
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["LinearGaussian"]


@final
@register_problem("linear-gaussian")
@dataclass(frozen=True)
class LinearGaussian(LatentVariableProblem):
    r"""A linear Gaussian model, which shows how bounds lose or keep their signal.

    $z \sim N(\mu, I)$, $x \sim N(z, I)$, $q(z|x) = N(A x + b, v I)$ for `points` data points. The gradient is measured
    at the optimum $\mu$ = mean of the data, $A = I / 2$, $b = \mu / 2$, moved by noise of the size `perturbation`. With
    `posterior_variance` ½ and no perturbation q is the posterior.

    Rainforth et al. 2018.
    """

    dim: int = 20
    points: int = 4
    posterior_variance: float = 2 / 3
    perturbation: float = 0.01
    observation: Tensor = field(init=False, repr=False, compare=False)
    """`[points, dim]`, drawn from the model at μ ~ N(0, I)."""
    encoder: ClassVar[tuple[str, ...]] = ("weight", "bias")

    def __post_init__(self) -> None:
        check_options(self, dim=1, points=1, posterior_variance=0)
        if self.perturbation < 0:
            raise ValueError(f"perturbation must be at least 0, not {self.perturbation}")
        object.__setattr__(self, "observation", _drawn(self.points, self.dim))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:dim=2,perturbation=1,points=2"]

    def initial_params(self) -> Params:
        generator = torch.Generator().manual_seed(1)
        mean = _drawn(self.points, self.dim).mean(0)
        at = {"prior_mean": mean, "weight": torch.eye(self.dim, dtype=torch.float64) / 2, "bias": mean / 2}

        def moved(value: Tensor) -> Tensor:
            return value + self.perturbation * torch.randn(value.shape, generator=generator, dtype=torch.float64)

        return {name: moved(value) for name, value in at.items()}

    def posterior(self, params: Params) -> Distribution:
        return Independent(Normal(self._mean(params), math.sqrt(self.posterior_variance)), 1)

    def log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        from_prior = ((z - params["prior_mean"].unsqueeze(1)) ** 2).sum(-1)
        from_data = ((self.observation - z) ** 2).sum(-1)
        return -(from_prior + from_data) / 2 - self.dim * math.log(2 * math.pi)

    def log_marginal(self, params: Params) -> Float[Tensor, "R N"]:
        distances = ((self.observation - params["prior_mean"].unsqueeze(1)) ** 2).sum(-1)
        return -distances / 4 - self.dim * math.log(4 * math.pi) / 2

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        mean, v = self._mean(params), self.posterior_variance
        distances = ((mean - params["prior_mean"].unsqueeze(1)) ** 2 + (self.observation - mean) ** 2).sum(-1)
        constant = v + math.log(2 * math.pi) - (1 + math.log(2 * math.pi * v)) / 2
        return self.data_weight * (distances / 2 + self.dim * constant).sum(-1)

    def _mean(self, params: Params) -> Float[Tensor, "R N D"]:
        return self.observation @ params["weight"].mT + params["bias"].unsqueeze(1)


def _drawn(points: int, dim: int) -> Float[Tensor, "N D"]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(points + 1, dim, generator=generator, dtype=torch.float64)
    return noise[0] + math.sqrt(2) * noise[1:]
