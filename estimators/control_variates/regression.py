"""Control variates with coefficients learned by regression."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import itemgetter
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.taylor import Taylor
from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits, derivative, learned, scaled
from estimators.learning.blocks import blocks
from estimators.learning.fresh_samples import fresh_samples
from estimators.learning.moving_averages import check_decay, moved
from estimators.noise import NoiseSource
from estimators.registry import register_control_variate
from estimators.sampling.families import Drawn

__all__ = ["Regression"]

NUMBERS = 12
"""Of each sample and parameter: three derivatives and their products."""


@final
@register_control_variate("regression")
@dataclass(frozen=True)
class Regression(ControlVariate):
    r"""Multiples of the score and of another control variate's term, each parameter with coefficients its own.

    Subtracts $a_i s_i + b_i h_i$ for the score s and the term h, where
    $(a_i, b_i) = \mathrm{Cov}(s_i, h_i)^{-1}\, \mathrm{Cov}((s_i, h_i), g_i)$ regress the gradient $g_i$ of one sample,
    so that on the fit no coefficient does harm: with correlation $\rho$ the variance is multiplied by $1 - \rho^2$.
    Without h it is the optimal baseline.

    The moments are learned on separate noise by `fit`, or in training as moving averages of earlier steps. Unbiased.
    Ranganath, Gerrish & Blei 2014; Owen 2013, sec. 8.9.
    """

    control: ControlVariate = field(default_factory=Taylor)
    decay: float = 0.9
    moments: tuple[Params, Params] | None = learned()
    """Means `[*shape, 3]` and second moments `[*shape, 3, 3]` of (s, h, g)."""

    def __post_init__(self) -> None:
        check_decay(self.decay)
        needs = self.control.traits
        if needs.independent_samples or needs.differentiates_samples or isinstance(self.control, Regression):
            raise ValueError(f"regression takes a control of one sample alone, which {self.control.name} is not")

    @classmethod
    def variants(cls) -> list[str]:
        return ["regression", "regression:control=muprop"]

    @cached_property
    def traits(self) -> Traits:
        return replace(self.control.traits, own_parameters=True, costs_alone=False)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return self.control.unsupported(problem, num_samples)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return self.control.evaluations(problem, num_samples)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        if self.moments is None:
            return torch.zeros_like(samples.cost)
        weights = {name: self._coefficients(name) for name in samples.params}
        by_score = _rescored(samples, {name: weight[..., 0] for name, weight in weights.items()})
        by_control = _rescored(samples, {name: weight[..., 1] for name, weight in weights.items()})
        return by_score.score + self.control.term(by_control)

    def _coefficients(self, name: str) -> Tensor:
        assert self.moments is not None
        mean, second = (moment[name] for moment in self.moments)
        covariance = second - mean.unsqueeze(-1) * mean.unsqueeze(-2)
        scale = covariance.diagonal(dim1=-2, dim2=-1).sqrt().clamp(min=torch.finfo(mean.dtype).tiny)
        correlation = (covariance / scale.unsqueeze(-1) / scale.unsqueeze(-2)).nan_to_num(0.0)
        # A control that is a multiple of the score, or constant, shares the coefficient or has none.
        inverse = torch.linalg.pinv(correlation[..., :2, :2], rtol=1e-4, hermitian=True)
        standardised = (inverse @ correlation[..., :2, 2:]).squeeze(-1)
        return standardised * scale[..., 2:] / scale[..., :2]

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Regression":
        control = self.control.fit(problem, params, num_samples, source.stream("control"))
        return replace(self, control=control, moments=_moments(control, fresh_samples(problem, params, source)))

    def update(self, samples: ScoredSamples) -> "Regression":
        moments = moved(self.moments, _moments(self.control, samples), self.decay)
        return replace(self, control=self.control.update(samples), moments=moments)


def _rescored(samples: ScoredSamples, factors: Params) -> ScoredSamples:
    """The same samples, whose gradients get multiplied by a factor for each parameter."""
    params = {name: scaled(value, factors[name].to(value.dtype)) for name, value in samples.params.items()}
    q = samples.problem.distribution(params)
    log_q = samples.drawn.log_prob(q)
    return replace(samples, params=params, q=q, score=log_q - log_q.detach())


def _moments(control: ControlVariate, samples: ScoredSamples) -> tuple[Params, Params]:
    """Means over the samples, for each replicate and parameter, in float64."""
    num_samples, replicates = samples.cost.shape
    entries = NUMBERS * replicates * sum(value[0].numel() for value in samples.params.values())
    first, second = (dict.fromkeys(samples.params, torch.zeros(())) for _ in range(2))
    for block in blocks(num_samples, entries):
        drawn = samples.drawn.map(itemgetter(block))
        for name, each in _each(control, samples.problem, samples.params, drawn).items():
            first[name] = first[name] + each.sum(0) / num_samples
            second[name] = second[name] + (each.unsqueeze(-1) * each.unsqueeze(-2)).sum(0) / num_samples
    return first, second


def _each(control: ControlVariate, problem: Problem, params: Params, drawn: Drawn) -> Params:
    """The score, the gradient of the control and that of the estimate, of each sample, `[S, R, *shape, 3]`."""
    num_samples, replicates = drawn.x.shape[:2]
    rows = {
        name: value.detach().expand(num_samples, *value.shape).flatten(0, 1).requires_grad_()
        for name, value in params.items()
    }
    with torch.enable_grad():
        apart = drawn.map(lambda part: part.reshape(1, num_samples * replicates, *part.shape[2:]))
        single = ScoredSamples.of(problem, rows, apart)
        gradient = single.direct + single.cost * single.score
        terms = (single.score, control.term(single), gradient)
        parts = [derivative(term.sum(), rows, differentiable=True) for term in terms]  # they share a graph
    return {
        name: torch.stack([part[name].detach() for part in parts], -1)
        .double()
        .reshape(num_samples, replicates, *value.shape[1:], 3)
        for name, value in rows.items()
    }
