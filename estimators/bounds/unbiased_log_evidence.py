"""The gradient of the log-evidence itself: a bound, and a random one of the steps from it to the limit of bounds."""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from estimators.bounds.bound import fixed_samples, needs_latents, parted
from estimators.interface import Estimator, LatentVariableProblem, Noise, Objective, Params, Problem, Traits, derivative
from estimators.interface.refusals import score
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families

__all__ = ["LogEvidence", "Step", "UnbiasedLogEvidence"]

RATE = 1.5
"""Step k or a later one has probability 2^(−RATE k): at 1 the mean cost is infinite, at 2 the variance."""


@final
@dataclass(frozen=True)
class LogEvidence(Objective):
    """−log p(x), on which the encoder has no influence."""

    name: str = "negative log-evidence"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        point = {name: value.detach().double().requires_grad_() for name, value in params.items()}
        moved = problem.to(next(iter(point.values())).device, torch.float64)
        with torch.enable_grad():
            assert isinstance(moved, LatentVariableProblem)
            found = moved.log_marginal(point)
            return None if found is None else derivative(-moved.data_weight * found.sum(), point)


class Step(NamedTuple):
    """The data points of some replicates that take one step, with the samples that it takes."""

    rows: Int[Tensor, " M"]
    """Which of the R replicates have such data points."""
    points: Int[Tensor, "M B"]
    """Their data points, and others to fill up, of weight zero."""
    weight: Float[Tensor, "M B"]
    """One over the probability of the step."""
    noise: Tensor
    """That of K samples of each, `[K, M, B, *D]`."""


@final
@register_estimator("unbiased-log-evidence")
@dataclass(frozen=True)
class UnbiasedLogEvidence(Estimator):
    r"""The gradient of $-\log p(x)$, which no bound of a fixed number of samples has: $L_S + \Delta_k / P(k)$.

    $\log p(x) = L_S + \sum_{k \ge 1} (L_{2^k S} - L_{2^{k-1} S})$, where $L_K$ is the bound of K samples. Each data
    point takes one step $k$ at random, or none: $P(k) = 2^{-1.5 k} (1 - 2^{-1.5})$. The step is estimated on $2^k S$
    samples as $\Delta_k = \log \bar w - \frac12 (\log \bar w' + \log \bar w'')$, with the mean weights of all samples
    and of either half, so that it falls as fast as $2^{-k}$.

    Unbiased. Its variance is finite where the weights of q have moments enough, and not where q is much narrower than
    the posterior. The encoder's gradient is zero, as $-\log p(x)$ does not depend on it, so that q has to be trained by
    another estimator. Any q. A random number of evaluations, 2.56 S on average; it cannot be compiled.
    Goda & Ishikawa 2019; Luo et al. 2020; Blanchet & Glynn 2015.
    """

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, log_weights=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return needs_latents(problem) or score(problem)

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        return LogEvidence()

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        assert isinstance(problem, LatentVariableProblem)
        q = problem.distribution(params)
        uniform = source.stream("steps").uniform((q.batch_shape.numel(), problem.observation.shape[-2]))
        taken = (-uniform.log2() / RATE).floor().long()
        steps = [
            _drawn(problem, params, taken == k, k, num_samples, source.stream(f"step {k}"))
            for k in taken.unique().tolist()
            if k > 0
        ]
        return families.noise(q, num_samples, source), tuple(steps)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        assert isinstance(problem, LatentVariableProblem)
        if torch.compiler.is_compiling():
            raise NotImplementedError("the number of samples is random")
        model, (first, steps) = parted(problem, params)[0], noise
        value = _bound(_log_weights(problem, model, first)).sum(-1)
        for step in steps:
            log_weights = _log_weights(*_part(problem, model, step.rows, step.points), step.noise)
            halves = [_bound(half) for half in log_weights.chunk(2)]
            change = _bound(log_weights) - sum(halves) / 2
            value = value.index_add(0, step.rows, (step.weight * change).sum(-1))
        return -problem.data_weight * value

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        """The mean number, rounded."""
        return round(num_samples * (1 + (1 - 2**-RATE) / (2 ** (RATE - 1) - 1)))


def _drawn(
    problem: LatentVariableProblem, params: Params, mask: Tensor, k: int, num_samples: int, source: NoiseSource
) -> Step:
    """The step k of the data points in a mask `[R, N]`."""
    rows = mask.any(1).nonzero()[:, 0]
    mask = mask[rows]
    points = mask.int().argsort(dim=1, descending=True, stable=True)[:, : int(mask.sum(1).max())]
    part, at = _part(problem, params, rows, points)
    noise = families.noise(part.distribution(at), num_samples * 2**k, source)
    weight = mask.gather(1, points) / (2 ** (-RATE * k) * (1 - 2**-RATE))
    return Step(rows, points, weight.to(next(iter(params.values()))), noise)


def _part(
    problem: LatentVariableProblem, params: Params, rows: Int[Tensor, " M"], points: Int[Tensor, "M B"]
) -> tuple[LatentVariableProblem, Params]:
    """Some replicates, each with some of its data points."""
    x = problem.observation
    chosen = x[points] if x.ndim == 2 else x[rows.unsqueeze(1), points]
    return problem.conditioned(chosen, problem.data_weight), {name: value[rows] for name, value in params.items()}


def _log_weights(problem: LatentVariableProblem, model: Params, noise: Tensor) -> Float[Tensor, "K R N"]:
    """Of fixed samples."""
    return problem.log_weights(fixed_samples(problem, model, noise), model)


def _bound(log_weights: Float[Tensor, "K R N"]) -> Float[Tensor, "R N"]:
    return log_weights.logsumexp(0) - math.log(len(log_weights))
