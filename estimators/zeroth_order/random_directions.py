"""Zeroth-order estimators along random directions in the parameters: SPSA and evolution strategies."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, Estimator, Noise, Params, Problem, Traits, constant_cost, repeated
from estimators.noise import NoiseSource
from estimators.noise.directions import DIRECTIONS, rademacher
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.zeroth_order.perturbations import (
    STEP,
    attach,
    check_step,
    outside_the_domain,
    perturbed,
    reusable,
)

__all__ = ["SPSA", "EvolutionStrategies", "RandomDirections"]


@dataclass(frozen=True)
class RandomDirections(Estimator, ABC):
    r"""The cost at parameters moved along random directions $\Delta$ of identity covariance, h = `step_size`.

    `antithetic` takes both sides of each of S/2 directions, two of the S draws from q: S must be even,

    $$\frac{2}{S} \sum_{s \le S/2} \frac{f(x_s^+, \theta + h\Delta_s) - f(x_s^-, \theta - h\Delta_s)}{2h}\, \Delta_s,$$

    where both sides share the noise of x, unless that depends on the parameters. Else it takes one side of each of S,
    $\frac1S \sum_s f(x_s, \theta + h\Delta_s)\, \Delta_s / h$, whose variance grows with $1 / h^2$. S evaluations.

    The value of the surrogate is the mean cost over all points.
    """

    former: ClassVar[Mapping[str, str]] = {"step": "step_size"}
    step_size: float = STEP
    antithetic: bool = True

    def __post_init__(self) -> None:
        check_step(self.step_size)

    @property
    def traits(self) -> Traits:
        return Traits(structured=False, own_parameters=True, elsewhere="at parameters that have moved")

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:antithetic=false"]

    @abstractmethod
    def directed(self, shape: tuple[int, ...], source: NoiseSource) -> Float[Tensor, "N R P"]:
        """Directions with mean zero and identity covariance."""

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if self.antithetic and num_samples % 2:
            return f"{self.name} draws pairs and needs an even num_samples, not {num_samples}; or antithetic=false"
        entries = sum(value.numel() for value in problem.initial_params().values())
        corner = torch.ones(1, entries, dtype=torch.float64)
        return outside_the_domain(problem, torch.cat([corner, -corner]), self.step_size)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        number = num_samples // 2 if self.antithetic else num_samples
        replicates = len(next(iter(params.values())))
        entries = sum(value.numel() for value in params.values()) // replicates
        directions = self.directed((number, replicates, entries), source.stream("directions"))
        q = problem.distribution(params)
        form = families.find(q)
        if reusable(form):
            x = form.noise(families.unwrap(q), number, source)
            x = torch.cat([x, x]) if self.antithetic else x
        else:
            shifts = self._shifts(directions)
            moved = repeated(problem, len(shifts)).distribution(perturbed(params, shifts))
            x = families.noise(moved, 1, source)
            x = x if form.seeded else x.reshape(num_samples, -1, *x.shape[2:])
        return {"directions": directions, "x": x}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        directions, x = noise["directions"], noise["x"]
        with torch.no_grad():
            shifts = self._shifts(directions)
            moved, seen = perturbed(params, shifts), repeated(problem, len(shifts))
            x = families.values(seen.distribution(moved), x.flatten(0, 1).unsqueeze(0) if x.ndim > 1 else x)
            cost = constant_cost(seen, x, moved).reshape(-1, directions.shape[1])
            rise = (cost[: len(directions)] - cost[len(directions) :]) / 2 if self.antithetic else cost
            slopes = (rise.unsqueeze(-1) * directions).mean(0) / self.step_size
        return cost.mean(0) + attach(params, slopes)

    def _shifts(self, directions: Float[Tensor, "N R P"]) -> Float[Tensor, "S R P"]:
        return self.step_size * (torch.cat([directions, -directions]) if self.antithetic else directions)


@final
@register_estimator("spsa")
@dataclass(frozen=True)
class SPSA(RandomDirections):
    r"""Simultaneous perturbation: differences along directions with entries of ±1.

    `RandomDirections` with $\Delta_j = 1 / \Delta_j$. Two-sided by definition (Spall 1992); `antithetic=false` is its
    form with one measurement (Spall 1997).
    Biased by $\frac{h^2}{6} \big(\partial_j^3 F + 3 \sum_{k \ne j} \partial_j \partial_k^2 F\big) + O(h^4)$, F = E[f].
    Spall 1992; Spall 1997.
    """

    def directed(self, shape: tuple[int, ...], source: NoiseSource) -> Float[Tensor, "N R P"]:
        return rademacher(shape, source)


@final
@register_estimator("evolution-strategies")
@dataclass(frozen=True)
class EvolutionStrategies(RandomDirections):
    r"""Differences along Gaussian directions: the exact gradient of a smoothed cost.

    `RandomDirections` for the gradient of $\mathbb{E}\, F(\theta + h\Delta)$, F = E[f].
    `orthogonal` directions are Gaussian each by itself, and of P in a row, the entries of $\theta$, any two are
    orthogonal: it has less variance where the gradient is not small against the noise.
    Biased by $\frac{h^2}{2} \partial_j \sum_k \partial_k^2 F + O(h^4)$ where F is not quadratic.
    Salimans et al. 2017; Nesterov & Spokoiny 2017; orthogonal: Choromanski et al. 2018.
    """

    directions: Literal["gaussian", "orthogonal"] = "gaussian"

    @classmethod
    def variants(cls) -> list[str]:
        return [*super().variants(), f"{cls.name}:directions=orthogonal"]

    def directed(self, shape: tuple[int, ...], source: NoiseSource) -> Float[Tensor, "N R P"]:
        return DIRECTIONS[self.directions](shape, source)
