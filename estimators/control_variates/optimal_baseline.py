"""The variance-optimal constant baseline of each parameter."""

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits, derivative, learned, scaled
from estimators.learning.blocks import blocks
from estimators.learning.fresh_samples import fresh_samples
from estimators.learning.moving_averages import check_decay, moved
from estimators.noise import NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling.events import beside
from estimators.sampling.families import Drawn

__all__ = ["OptimalBaseline"]


@final
@register_control_variate("optimal-baseline")
@dataclass(frozen=True)
class OptimalBaseline(ControlVariate):
    r"""The best constant for each parameter, $b^*_i = \mathbb{E}[f s_i^2] / \mathbb{E}[s_i^2]$ with s the score.

    The moments are learned on separate noise by `fit`, or in training as moving averages of earlier steps. Unbiased.
    Weaver & Tao 2001; Greensmith, Bartlett & Baxter 2004.
    """

    decay: float = 0.9
    moments: tuple[Params, Params] | None = learned()
    """E[f s²] and E[s²]."""

    def __post_init__(self) -> None:
        check_decay(self.decay)

    @property
    def traits(self) -> Traits:
        return Traits(own_parameters=True)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        if self.moments is None:
            return torch.zeros_like(samples.cost)
        # log q at params whose deviations are scaled by b: its gradient is b_i·s_i for every parameter i at once.
        params = {name: scaled(value, self._baseline(name)) for name, value in samples.params.items()}
        log_q = samples.drawn.log_prob(samples.problem.distribution(params))
        return log_q - log_q.detach()

    def _baseline(self, name: str) -> Tensor:
        assert self.moments is not None
        numerator, denominator = (moment[name] for moment in self.moments)
        return torch.where(denominator > 0, numerator / denominator, 0.0)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "OptimalBaseline":
        return replace(self, moments=_moments(fresh_samples(problem, params, source)))

    def update(self, samples: ScoredSamples) -> "OptimalBaseline":
        return replace(self, moments=moved(self.moments, _moments(samples), self.decay))


def _moments(samples: ScoredSamples) -> tuple[Params, Params]:
    """Means over the samples of f s² and s², for each replicate and parameter."""
    num_samples, replicates = samples.cost.shape
    entries = replicates * sum(value[0].numel() for value in samples.params.values())
    weighted, squared = (dict.fromkeys(samples.params, torch.zeros(())) for _ in range(2))
    for block in blocks(num_samples, entries):
        drawn, cost = samples.drawn.map(itemgetter(block)), samples.cost[block]
        for name, square in _squared_scores(samples.problem, samples.params, drawn).items():
            weighted[name] = weighted[name] + (square * beside(cost, square)).sum(0) / num_samples
            squared[name] = squared[name] + square.sum(0) / num_samples
    return weighted, squared


def _squared_scores(problem: Problem, params: Params, drawn: Drawn) -> Params:
    """The square of the score of each sample and parameter, `[S, R, *shape]`."""
    num_samples, replicates = drawn.x.shape[:2]
    each = drawn.map(lambda part: part.reshape(1, num_samples * replicates, *part.shape[2:]))
    point = {name: value.detach().expand(num_samples, *value.shape).flatten(0, 1) for name, value in params.items()}
    with torch.enable_grad():
        leaves = {name: value.requires_grad_() for name, value in point.items()}
        scores = derivative(each.log_prob(problem.distribution(leaves)).sum(), leaves)
    return {name: score.reshape(num_samples, replicates, *score.shape[1:]) ** 2 for name, score in scores.items()}
