"""Gradients on mini-batches: each replicate has data points of its own, as each step of a training has."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from estimators.interface import (
    Estimator,
    LatentVariableProblem,
    Noise,
    Params,
    Problem,
    Unsupported,
    Wrapper,
    batch_of,
)
from estimators.noise import NoiseSource

__all__ = ["InBatches", "chosen", "first_batch", "require_all_data", "require_data"]


@final
@dataclass(frozen=True)
class InBatches(Wrapper):
    """The base estimator on a mini-batch of `size` data points for each replicate, none of them twice.

    The data of the batches are scaled to all (`Problem.batch`), so that the mean over batches is the gradient on all
    data; what the choice of the batch adds to the variance is part of the estimate's. It has the spec of its base, and
    all estimators meet the same batches. What learns is fitted on all data.
    """

    base: Estimator
    size: int

    @property
    def spec(self) -> str:
        return self.base.spec

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        rows = len(next(iter(params.values())))
        keys = source.stream("batch").uniform((rows, problem.num_data))
        return {"keys": keys, "base": self._drawn(problem, params, num_samples, keys, source)}

    def drawn_again(
        self, problem: Problem, params: Params, num_samples: int, noise: Noise, source: NoiseSource
    ) -> Noise:
        """The noise of other estimates on the same batches."""
        return noise | {"base": self._drawn(problem, params, num_samples, noise["keys"], source)}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self.base.surrogate(self._batch(problem, noise["keys"]), params, noise["base"])

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        return self.base.diagnostics(self._batch(problem, noise["keys"]), params, noise["base"])

    def update(self, problem: Problem, params: Params, noise: Noise) -> "InBatches":
        updated = self.base.update(self._batch(problem, noise["keys"]), params, noise["base"])
        return self if updated is self.base else replace(self, base=updated)

    def _drawn(
        self, problem: Problem, params: Params, num_samples: int, keys: Float[Tensor, "R N"], source: NoiseSource
    ) -> Noise:
        return self.base.draw(self._batch(problem, keys), params, num_samples, source)

    def _batch(self, problem: Problem, keys: Float[Tensor, "R N"]) -> Problem:
        return batch_of(problem, chosen(keys, self.size))


def chosen(keys: Float[Tensor, "R N"], size: int) -> Int[Tensor, "R B"]:
    """So many different data points for each replicate, all sets of them equally likely: those of the largest keys."""
    return keys.topk(min(size, keys.shape[1]), dim=1).indices


def first_batch(problem: Problem, size: int) -> Problem:
    """The problem on the first data points, for one replicate."""
    return problem.batch(torch.arange(min(size, problem.num_data)).unsqueeze(0))


def require_data(problem: Problem) -> None:
    """Raise `Unsupported` where there are no data."""
    if not problem.num_data:
        raise Unsupported(f"{problem.spec} has no data to draw mini-batches from: leave batch out")


def require_all_data(problem: Problem) -> None:
    """Raise `Unsupported` where there are no data, or where batches are of others than those that are measured on."""
    require_data(problem)
    own = problem.observation.shape[-2] if isinstance(problem, LatentVariableProblem) else problem.num_data
    if own != problem.num_data:
        raise Unsupported(
            f"mini-batches of {problem.name} come from all {problem.num_data:,} data points, and this gradient is that "
            f"of {own:,}: {problem.name}:points={problem.num_data} is measured on all"
        )
