# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
"""The distributions of torch, each with its law in scipy and the gradient of an expectation by quadrature or a sum."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.distributions as td
from scipy import stats
from torch import Tensor

from estimators.sampling.distributions.logistic import Logistic
from estimators.sampling.distributions.truncated_normal import TruncatedNormal

__all__ = ["LAWS", "Law", "exact"]

DISCRETE = "discrete"


def cost(x):
    return 1 / (1 + (x - 0.4) ** 2)


def on_a_circle(x):
    """1 / (1 + 4 sin²), without a jump where it closes."""
    return 1 / (1 + 4 * (x / 2 - 0.2).sin() ** 2) if isinstance(x, Tensor) else 1 / (1 + 4 * np.sin(x / 2 - 0.2) ** 2)


@dataclass(frozen=True)
class Law:
    """A distribution of one number with two parameters, in torch and in scipy."""

    make: Callable[[Tensor, Tensor], td.Distribution]
    scipy: Callable[[float, float], object]
    kind: str = "continuous"
    at: tuple[float, float] = (0.7, 1.3)
    cost: Callable = cost


def one(a: Tensor) -> Tensor:
    return torch.ones_like(a).detach()


def mixed(component: td.Distribution, logit: Tensor) -> td.Distribution:
    return td.MixtureSameFamily(td.Categorical(logits=torch.stack([logit, 0 * logit], -1)), component)


def twice(a: Tensor) -> Tensor:
    return torch.stack([a, 2 * a], -1)


class Mixed:
    def __init__(self, logit: float, first, second):
        self.weight, self.parts = 1 / (1 + math.exp(-logit)), (first, second)

    def pdf(self, x):
        return self.weight * self.parts[0].pdf(x) + (1 - self.weight) * self.parts[1].pdf(x)

    def support(self):
        return self.parts[0].support()


class Relaxed:
    """A relaxed bit: the logistic function of (l + logistic noise) / t, by the logit of x."""

    def __init__(self, logit: float, temperature: float):
        self.base = stats.logistic(logit / temperature, 1 / temperature)

    def pdf(self, x):
        return self.base.pdf(np.log(x) - np.log1p(-x)) / (x * (1 - x))

    def support(self):
        return 0.0, 1.0


class Continuous:
    """torch's ContinuousBernoulli by its definition."""

    def __init__(self, p: float, _: float):
        self.p, self.constant = p, 2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)

    def pdf(self, x):
        return self.constant * self.p**x * (1 - self.p) ** (1 - x)

    def support(self):
        return 0.0, 1.0


LAWS = {
    "Normal": Law(td.Normal, stats.norm),
    "LogNormal": Law(lambda a, b: td.LogNormal(a, b / 2), lambda a, b: stats.lognorm(b / 2, scale=math.exp(a))),
    "Laplace": Law(td.Laplace, stats.laplace),
    "Logistic": Law(Logistic, stats.logistic),
    "Gumbel": Law(td.Gumbel, stats.gumbel_r),
    "Cauchy": Law(td.Cauchy, stats.cauchy),
    "HalfCauchy": Law(lambda a, b: td.HalfCauchy(b), lambda a, b: stats.halfcauchy(scale=b)),
    "HalfNormal": Law(lambda a, b: td.HalfNormal(b), lambda a, b: stats.halfnorm(scale=b)),
    "Exponential": Law(lambda a, b: td.Exponential(b), lambda a, b: stats.expon(scale=1 / b)),
    "Uniform": Law(td.Uniform, lambda a, b: stats.uniform(a, b - a)),
    "Uniform without parameters": Law(lambda a, b: td.Uniform(0 * one(a), one(a)), lambda a, b: stats.uniform()),
    "Gamma": Law(lambda a, b: td.Gamma(a + 1, b), lambda a, b: stats.gamma(a + 1, scale=1 / b)),
    "Chi2": Law(lambda a, b: td.Chi2(4 * b), lambda a, b: stats.chi2(4 * b)),
    "InverseGamma": Law(lambda a, b: td.InverseGamma(a + 2, b), lambda a, b: stats.invgamma(a + 2, scale=b)),
    "Beta": Law(lambda a, b: td.Beta(a + 1, b + 1), lambda a, b: stats.beta(a + 1, b + 1)),
    "Kumaraswamy": Law(lambda a, b: td.Kumaraswamy(a + 1, one(a)), lambda a, b: stats.beta(a + 1, 1)),
    "ContinuousBernoulli": Law(lambda a, b: td.ContinuousBernoulli(probs=a), Continuous),
    "StudentT": Law(lambda a, b: td.StudentT(7 * b, a, b), lambda a, b: stats.t(7 * b, a, b)),
    "FisherSnedecor": Law(lambda a, b: td.FisherSnedecor(6 * b, 9 + a), lambda a, b: stats.f(6 * b, 9 + a)),
    "VonMises": Law(td.VonMises, lambda a, b: stats.vonmises(b, a), cost=on_a_circle),
    "Weibull": Law(lambda a, b: td.Weibull(a, b + 1), lambda a, b: stats.weibull_min(b + 1, scale=a)),
    "Pareto": Law(lambda a, b: td.Pareto(a, b + 2), lambda a, b: stats.pareto(b + 2, scale=a)),
    "Pareto of a known scale": Law(lambda a, b: td.Pareto(one(a), b + 2), lambda a, b: stats.pareto(b + 2)),
    "GeneralizedPareto": Law(
        lambda a, b: td.GeneralizedPareto(a, b, 0.1 * one(a)), lambda a, b: stats.genpareto(0.1, a, b)
    ),
    "GeneralizedPareto at a known place": Law(
        lambda a, b: td.GeneralizedPareto(0 * one(a), b, a / 7), lambda a, b: stats.genpareto(a / 7, 0, b)
    ),
    "TruncatedNormal": Law(
        lambda a, b: TruncatedNormal(a, b, -1.0, 2.0), lambda a, b: stats.truncnorm((-1 - a) / b, (2 - a) / b, a, b)
    ),
    "RelaxedBernoulli": Law(lambda a, b: td.RelaxedBernoulli(one(a), logits=a), lambda a, b: Relaxed(a, 1.0)),
    "LogitRelaxedBernoulli": Law(
        lambda a, b: td.relaxed_bernoulli.LogitRelaxedBernoulli(one(a) / 2, logits=a),
        lambda a, b: stats.logistic(2 * a, 2),
    ),
    "shifted exponential": Law(
        lambda a, b: td.TransformedDistribution(td.Exponential(b), [td.AffineTransform(a, 1.0)]),
        lambda a, b: stats.expon(a, 1 / b),
    ),
    "scaled exponential": Law(
        lambda a, b: td.TransformedDistribution(td.Exponential(one(a)), [td.AffineTransform(0.0, b)]),
        lambda a, b: stats.expon(0, b),
    ),
    "mixture of Normals": Law(
        lambda a, b: mixed(td.Normal(twice(a), twice(b)), a),
        lambda a, b: Mixed(a, stats.norm(a, b), stats.norm(2 * a, 2 * b)),
    ),
    "mixture of Exponentials": Law(
        lambda a, b: mixed(td.Exponential(twice(b)), a),
        lambda a, b: Mixed(a, stats.expon(scale=1 / b), stats.expon(scale=0.5 / b)),
    ),
    "mixture of Gammas": Law(
        lambda a, b: mixed(td.Gamma(twice(b), twice(torch.ones_like(b)) * 0 + 1), a),
        lambda a, b: Mixed(a, stats.gamma(b), stats.gamma(2 * b)),
    ),
    "Bernoulli": Law(
        lambda a, b: td.Bernoulli(logits=a), lambda a, b: stats.bernoulli(1 / (1 + math.exp(-a))), DISCRETE
    ),
    "Bernoulli by probabilities": Law(lambda a, b: td.Bernoulli(probs=a), lambda a, b: stats.bernoulli(a), DISCRETE),
    "Geometric": Law(lambda a, b: td.Geometric(probs=a), lambda a, b: stats.geom(a, loc=-1), DISCRETE),
    "Poisson": Law(lambda a, b: td.Poisson(b), lambda a, b: stats.poisson(b), DISCRETE),
    "Binomial": Law(lambda a, b: td.Binomial(3, probs=a), lambda a, b: stats.binom(3, a), DISCRETE),
    "NegativeBinomial": Law(
        lambda a, b: td.NegativeBinomial(3.0 * one(a), probs=a / 2), lambda a, b: stats.nbinom(3, 1 - a / 2), DISCRETE
    ),
}


NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


def expectation(law: Law, a: float, b: float) -> float:
    """A sum, or a quadrature in θ of x = tan θ, between the points where a density may have a kink."""
    made = law.scipy(a, b)
    if law.kind == DISCRETE:
        k = np.arange(400)
        return float((made.pmf(k) * law.cost(k)).sum())
    low, high = (-math.pi, math.pi) if law.cost is on_a_circle else made.support()
    inside = [cut for cut in (a, 2 * a) if low < cut < high]
    ends = np.arctan([low, *inside, high])
    edges = np.concatenate([np.linspace(start, stop, 40) for start, stop in itertools.pairwise(ends)])
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    x = np.tan(middle + half * NODES)
    with np.errstate(over="ignore"):  # of what is zero in the end
        density = made.pdf(x)
    return float((half * WEIGHTS * density * law.cost(x) * (1 + x**2)).sum())


@cache
def exact(name: str) -> dict[str, float]:
    """Central differences of the expectation, by Richardson's rule."""
    law, (a, b) = LAWS[name], LAWS[name].at

    def slope(step: float, along: tuple[int, int]) -> float:
        up, down = (expectation(law, a + s * step * along[0], b + s * step * along[1]) for s in (1, -1))
        return (up - down) / (2 * step)

    return {key: (4 * slope(1e-3, along) - slope(2e-3, along)) / 3 for key, along in {"a": (1, 0), "b": (0, 1)}.items()}
