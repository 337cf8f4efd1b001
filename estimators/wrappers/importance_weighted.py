"""Importance sampling: draw from a proposal r, weigh by the density ratio."""

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import Literal, final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, Estimator, Noise, Params, PerSample, Problem, Traits, Wrapper
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.events import beside
from estimators.sampling.proposals import shifted, widened
from estimators.score_function import ScoreFunction
from estimators.wrappers.pareto import pareto_shape

__all__ = ["ImportanceWeighted"]

ENOUGH = 10_000
"""The weights that it takes to judge their tail: fewer look heavy-tailed by chance."""


@final
@register_estimator("importance-weighted")
@dataclass(frozen=True)
class ImportanceWeighted(Wrapper):
    r"""The base estimator on samples of a proposal, $\frac1S \sum_s w_s\, g(x_s)$, $x_s \sim r$, $w = q / r$.

    With `base=score-function` the proposal is a relative of q at the current, detached parameters; with `base=pathwise`
    it is one of the Gaussian base noise, $w = p(\epsilon) / r(\epsilon)$. Proposals: `widened` multiplies the standard
    deviation by `scale`; `shifted` moves it by `scale − 1` standard deviations; `defensive` is the even mixture of
    the target and the widened one, whose weights are at most 2 (Owen & Zhou 2000).

    In training the base learns from the same noise as if it had been drawn for q.

    Unbiased; with `self_normalized` the weights are divided by their mean, which is biased by O(1/S).
    Mohamed et al. 2020, sec. 7; Owen 2013, ch. 9.
    """

    base: Estimator = field(default_factory=ScoreFunction)
    proposal: Literal["widened", "shifted", "defensive"] = "widened"
    scale: float = 1.2
    self_normalized: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.base, PerSample):
            raise ValueError(f"importance weights go on score-function or pathwise, not on {self.base.spec}")
        if self.scale <= 0:
            raise ValueError(f"scale must be positive, not {self.scale}")

    @property
    def traits(self) -> Traits:
        return replace(self.base.traits, elsewhere="at samples of a proposal")

    @classmethod
    def variants(cls) -> list[str]:
        return [
            "importance-weighted",
            "importance-weighted:proposal=shifted",
            "importance-weighted:proposal=defensive",
            "importance-weighted:base=(score-function:control_variate=leave-one-out),proposal=defensive",
            "importance-weighted:base=pathwise,proposal=defensive",
            "importance-weighted:self_normalized=true",
        ]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        try:
            self._proposal(self._points(q))
        except ValueError as error:
            return str(error)
        if self.proposal == "defensive" and not families.find(q).fixed_noise:
            family = type(families.unwrap(q)).__name__
            return (
                f"a defensive mixture needs noise that does not depend on the parameters, which {family} does not have"
            )
        if self.traits.differentiates_samples:
            return f"{self.base.spec} differentiates samples of q, and these are a proposal's"
        if self.traits.samples_of_q:
            return f"{self.base.spec} needs all samples to be from q, and these are a proposal's"
        return super().unsupported(problem, num_samples)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased" if self.self_normalized else super().claim(problem, num_samples)

    def seen_noise(self, noise: Noise) -> Noise:
        """The base noise of the proposal, which is that of q: a proposal is of the same family."""
        return noise["base"]

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        target = self._points(problem.distribution(params))
        noise = {"base": families.noise(self._proposal(target), num_samples, source)}
        if self.proposal == "defensive":
            noise["component"] = source.stream("component").uniform((num_samples, *target.batch_shape))
        return noise

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        point, log_weight = self._weighted(problem, params, noise)
        assert isinstance(self.base, PerSample)
        weight = log_weight.softmax(0) * len(log_weight) if self.self_normalized else log_weight.exp()
        return (weight * self.base.terms(problem, params, point)).mean(0)

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        """The effective sample size and the largest share of each replicate's weights, and k̂ of all weights together.

        Warns where the weights have no finite variance, or miss the bulk of the target.
        """
        _, log_weight = self._weighted(problem, params, noise)
        share = log_weight.softmax(0)
        shape = pareto_shape(log_weight.flatten())
        self._warn(log_weight, shape)
        return {
            "effective_sample_size": 1 / (share**2).sum(0),
            "largest_weight_share": share.amax(0),
            "pareto_k": torch.full_like(share[0], shape),
        }

    def _warn(self, log_weight: Tensor, shape: float) -> None:
        mean = float(log_weight.exp().mean())
        if log_weight.numel() < ENOUGH:
            return
        if shape > 0.5:
            warnings.warn(
                f"the importance weights have no finite variance (Pareto k = {shape:.2f} > 0.5), so that neither the "
                "variance nor its interval can be trusted: choose a wider or a defensive proposal",
                stacklevel=3,
            )
        elif abs(mean - 1) > 0.5:
            warnings.warn(
                f"the importance weights have mean {mean:.2g} instead of 1: the proposal misses where x is likely",
                stacklevel=3,
            )

    def _points(self, q: td.Distribution) -> td.Distribution:
        """The distribution of the base's points, of which the proposal is a relative."""
        assert isinstance(self.base, PerSample)
        return self.base.points(q)

    def _proposal(self, target: td.Distribution) -> td.Distribution:
        return shifted(target, self.scale - 1) if self.proposal == "shifted" else widened(target, self.scale)

    def _weighted(self, problem: Problem, params: Params, noise: Noise) -> tuple[families.Drawn, Tensor]:
        """Points `[S, R, *E]` of the proposal and their log-weights `[S, R]`, both detached."""
        detached = {name: value.detach() for name, value in params.items()}
        target = self._points(problem.distribution(detached))
        proposal = self._proposal(target)
        point = families.drawn(proposal, noise["base"])
        if self.proposal == "defensive":
            pick = noise["component"] < 0.5
            point = point.map(
                lambda wide, own: torch.where(beside(pick, own), own, wide), families.drawn(target, noise["base"])
            )
        log_target, log_proposal = point.log_prob(target), point.log_prob(proposal)
        if self.proposal == "defensive":
            log_proposal = torch.logaddexp(log_target, log_proposal) - math.log(2)
        return point, log_target - log_proposal
