"""Estimators from distinct joint states: the unordered set, sum and sample, and REINFORCE without replacement."""

import warnings
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.discrete.gumbel_top_k import most_probable, too_few_states, without_replacement
from estimators.discrete.set_probabilities import leave_out_ratios, remainder
from estimators.interface import Estimator, Noise, Params, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.events import as_vectors, beside

__all__ = ["ReinforceWithoutReplacement", "SumAndSample", "UnorderedSet"]


DISTINCT = "at states that all differ, as draws of q do not"
FINITE = 4
"""The fewest samples for which the variance of REINFORCE without replacement is finite."""


def _weighted(samples: ScoredSamples, weight: Tensor, baseline: Tensor | float = 0.0) -> Float[Tensor, " R"]:
    """Σ w f, with the direct gradient of f and with (f − b) times the score, the weights constant."""
    return (weight * (samples.direct + (samples.cost - baseline) * samples.score)).sum(0)


def _in_float64(problem: Problem, params: Params) -> Distribution:
    """q in float64: what is left of the probability is a difference, which would keep no digits in float32."""
    point = {name: value.detach().double() for name, value in params.items()}
    return problem.to(next(iter(point.values())).device, torch.float64).distribution(point)


def _log_p(samples: ScoredSamples) -> Float[Tensor, "S R"]:
    return families.log_prob(_in_float64(samples.problem, samples.params), samples.x.double())


@final
@register_estimator("unordered-set")
@dataclass(frozen=True)
class UnorderedSet(Estimator):
    r"""The expectation of a one-sample estimator given a set of S states drawn without replacement, $D$,

    $$\sum_{s \in D} p_s R_s \Big(f_s - \sum_{s' \in D} p_{s'} R_{s, s'} f_{s'}\Big) \nabla \log p_s, \qquad
      R_s = \frac{P(D \setminus s \text{ from all but } s)}{P(D)},$$

    where $R_{s, s'}$ is the same ratio with s taken out of everything, and 1 for $s' = s$: a baseline built in.
    Unbiased for any cost; S of at least 2 and at most the number of joint states, with all of which it is exact.
    Kool, van Hoof & Welling 2020.
    """

    @property
    def traits(self) -> Traits:
        return Traits("score function", structured=False, elsewhere=DISTINCT)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return at_least(2, num_samples, self.name) or too_few_states(problem, num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        return without_replacement(problem.distribution(params), num_samples, source).x

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        samples = ScoredSamples.of(problem, params, noise)
        log_p = _log_p(samples)
        first, second = leave_out_ratios(log_p)
        dtype = samples.cost.dtype
        baseline = ((log_p + second).exp().to(dtype) * samples.cost).sum(1)  # over s', the second axis of the ratios
        own = log_p.exp().to(dtype) * samples.cost
        return _weighted(samples, (log_p + first).exp().to(dtype), baseline + own)


@final
@register_estimator("sum-and-sample")
@dataclass(frozen=True)
class SumAndSample(Estimator):
    r"""Sums over the S − 1 most probable states C, and samples one of the others:

    $$\sum_{c \in C} p_c f_c \nabla \log p_c + (1 - p_C)\, f(x)\, \nabla \log p(x), \quad x \sim q(x \mid x \notin C).$$

    Unbiased for any cost; S of at most the number of joint states, with all of which it is exact.
    Liu, Regier, Tripuraneni, Jordan & McAuliffe 2019.
    """

    @property
    def traits(self) -> Traits:
        return Traits("score function", structured=False, elsewhere=DISTINCT)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return too_few_states(problem, num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        summed = most_probable(_in_float64(problem, params), num_samples - 1) if num_samples > 1 else None
        drawn = without_replacement(q, num_samples, source)
        if summed is None:
            return {"x": drawn.x, "log_weight": torch.zeros_like(drawn.log_p)}
        # S draws contain at least one state outside C; the first such is a sample of q given x ∉ C.
        same = as_vectors(drawn.x.unsqueeze(1) == summed.x.unsqueeze(0), 3).all(-1)
        index = (~same.any(1)).to(torch.uint8).argmax(0)
        last = drawn.x.gather(0, beside(index.unsqueeze(0), drawn.x).expand(1, *drawn.x.shape[1:]))
        log_weight = torch.cat([summed.log_p, remainder(summed.log_p).log().unsqueeze(0)])
        return {"x": torch.cat([summed.x.to(last.dtype), last]), "log_weight": log_weight.to(drawn.log_p.dtype)}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return _weighted(ScoredSamples.of(problem, params, noise["x"]), noise["log_weight"].exp())


@final
@register_estimator("reinforce-without-replacement")
@dataclass(frozen=True)
class ReinforceWithoutReplacement(Estimator):
    r"""Weighs S states drawn without replacement by their odds of being drawn: for the threshold $\kappa$,

    $$\sum_s w_s \big(f_s (1 - p_s + w_s) - \textstyle\sum_{s'} w_{s'} f_{s'}\big) \nabla \log p_s, \qquad
      w_s = \frac{p_s}{P(\log p_s + G > \kappa)},$$

    $\kappa$ the (S + 1)-th largest perturbed log-probability. The baseline is that of the other states, corrected by
    $p_s f_s$, since different weights are uncorrelated (priority sampling). Unbiased for any cost; S of at least 2 and
    at most the number of joint states, with all of which it is exact.

    The variance is infinite for S = 2, and for S = 3 too, by a logarithm: the weights of rare states are $e^\kappa$, of
    which pairs are multiplied, and $P(e^\kappa > t)$ falls as $t^{-(S+1)}$. `diagnostics` warns of that.
    Kool, van Hoof & Welling 2019.
    """

    @property
    def traits(self) -> Traits:
        return Traits("score function", structured=False, elsewhere=DISTINCT)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return at_least(2, num_samples, self.name) or too_few_states(problem, num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        beam = without_replacement(q, num_samples + 1, source)
        everything = len(beam.perturbed) == num_samples
        threshold = torch.full_like(beam.log_p[0], -torch.inf) if everything else beam.perturbed[num_samples]
        return {"x": beam.x[:num_samples], "threshold": threshold}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        samples = ScoredSamples.of(problem, params, noise["x"])
        log_p = _log_p(samples).to(samples.cost.dtype)
        p = log_p.exp()
        # p / (1 − exp(−exp(log p − κ))), which tends to e^κ for a rare state.
        excess = (log_p - noise["threshold"]).exp()
        weight = torch.where(excess > 0, p / -torch.expm1(-excess), noise["threshold"].exp())
        return _weighted(samples, weight, (weight * samples.cost).sum(0) + (p - weight) * samples.cost)

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        """None; warns where the variance is infinite."""
        size = len(noise["x"])
        if size < FINITE and bool(noise["threshold"].isfinite().any()):
            warnings.warn(
                f"{self.name} has infinite variance with {size} samples, so that neither its variance nor the interval "
                f"can be trusted: take {FINITE} or more, or unordered-set",
                stacklevel=3,
            )
        return {}
