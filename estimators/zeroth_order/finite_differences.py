"""Finite differences in the parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, Estimator, Noise, Params, Problem, Traits, constant_cost, repeated
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.zeroth_order.perturbations import (
    STEP,
    attach,
    check_step,
    flatten,
    outside_the_domain,
    perturbed,
    reusable,
)

__all__ = ["FiniteDifferences"]

BLOCK_ELEMENTS = 2**18
"""Element-samples, or parameter entries, at which the cost is evaluated at a time."""
MAX_PARAMETERS = 1024
MAX_PARAMETERS_WITH_NOISE = 256
"""The most parameters where each shifted point has noise of its own, since `draw` returns all of it."""


@final
@register_estimator("finite-differences")
@dataclass(frozen=True)
class FiniteDifferences(Estimator):
    r"""Central differences of the mean cost in every entry of the parameters, h = `step_size`,

    $$\hat g_j = \frac1S \sum_s \frac{f(x_s^{+j}, \theta + h e_j) - f(x_s^{-j}, \theta - h e_j)}{2h}, \qquad
      x^{\pm j} \sim q(\theta \pm h e_j).$$

    With `common_noise` all $x^{\pm j}$ are functions of the same noise, which must not depend on the parameters; else
    each point has noise of its own, and the variance grows with $1 / h^2$. S samples at each of 2 P points.

    Biased by $\frac{h^2}{6} \partial_j^3 \mathbb{E}[f] + O(h^4)$; needs neither a density nor a derivative.
    The value of the surrogate is the mean cost over all points. Glasserman 2004, sec. 7.1; L'Ecuyer & Perron 1994.
    """

    former: ClassVar[Mapping[str, str]] = {"step": "step_size"}
    step_size: float = STEP
    common_noise: bool = True

    def __post_init__(self) -> None:
        check_step(self.step_size)

    @property
    def traits(self) -> Traits:
        return Traits(own_parameters=True, elsewhere="at parameters that have moved")

    @classmethod
    def variants(cls) -> list[str]:
        return ["finite-differences", "finite-differences:common_noise=false"]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if self.common_noise and not reusable(families.find(q)):
            family = type(families.unwrap(q)).__name__
            return f"the noise of {family} depends on the parameters and cannot be common; try common_noise=false"
        entries, limit = _entries(problem), MAX_PARAMETERS if self.common_noise else MAX_PARAMETERS_WITH_NOISE
        if entries > limit:
            return f"{self.spec} goes over at most {limit} parameter entries, not {entries}"
        basis = torch.eye(entries, dtype=torch.float64)
        return outside_the_domain(problem, torch.cat([basis, -basis]), self.step_size)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return 2 * _entries(problem) * num_samples

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        if self.common_noise:
            return families.noise(problem.distribution(params), num_samples, source)
        noise = []
        elements = num_samples * problem.distribution(params).event_shape.numel()
        for _, shifts in self._shifts(params, _blocks(params, elements)):
            q = repeated(problem, len(shifts)).distribution(perturbed(params, shifts))
            form = families.find(q)
            own = form.noise(families.unwrap(q), num_samples, source)
            noise.append(own if form.seeded else own.unflatten(1, (len(shifts), -1)))
        return noise

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        theta = flatten(params).detach()
        blocks = _blocks(params, _elements(problem, params, noise)) if self.common_noise else len(noise)
        costs = theta.new_empty(2, *theta.T.shape)  # allocated ahead: small tensors kept on the way fragment the heap
        with torch.no_grad():
            for block, (entries, shifts) in enumerate(self._shifts(params, blocks)):
                moved, seen = perturbed(params, shifts), repeated(problem, len(shifts))
                own = _repeated(noise, len(shifts)) if self.common_noise else noise[block]
                x = families.values(seen.distribution(moved), own.flatten(1, 2) if own.ndim > 1 else own)
                costs[:, entries] = constant_cost(seen, x, moved).mean(0).unflatten(0, (2, len(entries), -1))
        return costs.mean((0, 1)) + attach(params, (costs[0] - costs[1]).T / (2 * self.step_size))

    def _shifts(self, params: Params, blocks: int) -> list[tuple[Tensor, Tensor]]:
        """Blocks of b entries, each with the steps forward and back in them, `[2 b, 1, P]`."""
        theta = flatten(params)
        rows = self.step_size * torch.eye(theta.shape[1], dtype=theta.dtype, device=theta.device)
        entries = torch.arange(len(rows), device=theta.device).tensor_split(blocks)
        return [(part, torch.cat([rows[part], -rows[part]]).unsqueeze(1)) for part in entries]


def _repeated(noise: Tensor, points: int) -> Float[Tensor, "S N R *E"]:
    return noise.unsqueeze(1).expand(-1, points, *noise.shape[1:])


def _entries(problem: Problem) -> int:
    return sum(value.numel() for value in problem.initial_params().values())


def _elements(problem: Problem, params: Params, noise: Tensor) -> int:
    """Of the samples of one replicate: as many as its noise has, but of a sampler that takes seeds."""
    if noise.ndim == 1:
        return len(noise) * problem.distribution(params).event_shape.numel()
    return noise.numel() // noise.shape[1]


def _blocks(params: Params, elements: int) -> int:
    """In how many parts the entries are moved, so that each keeps to `BLOCK_ELEMENTS`."""
    replicates, entries = flatten(params).shape
    width = max(elements, entries)
    return min(math.ceil(2 * entries * replicates * width / BLOCK_ELEMENTS), entries)
