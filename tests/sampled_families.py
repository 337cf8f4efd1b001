# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
"""Families of distributions, each with the forms that sample it and its law in scipy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributions as td
from scipy import stats
from torch import Tensor
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli

from estimators.sampling import families
from estimators.sampling.distributions.logistic import Logistic
from estimators.sampling.distributions.truncated_normal import TruncatedNormal

__all__ = [
    "DTYPES",
    "FAMILIES",
    "FIXED",
    "FORMS",
    "NOT_BY_LEVEL",
    "OWN_SAMPLER",
    "RARE",
    "THREE",
    "TWO_GAMMAS",
    "Family",
    "Kumaraswamy",
    "LaplaceMixture",
    "Mixed",
    "NormalMixture",
    "VonMises",
    "derivatives",
]

RARE = 1e-4
"""A p-value below this, at a fixed seed, is a fault."""
DTYPES = [torch.float32, torch.float64]


class Kumaraswamy:
    def __init__(self, a: float, b: float):
        self.a, self.b = a, b

    def cdf(self, x):
        return 1 - (1 - np.clip(x, 0, 1) ** self.a) ** self.b

    def pdf(self, x):
        return self.a * self.b * x ** (self.a - 1) * (1 - x**self.a) ** (self.b - 1)

    def ppf(self, u):
        return (1 - (1 - u) ** (1 / self.b)) ** (1 / self.a)

    def isf(self, u):
        return self.ppf(1 - u)

    def support(self):
        return 0.0, 1.0


class VonMises:
    """On one turn from −π on; scipy's own goes round and round."""

    def __init__(self, loc: float, concentration: float):
        self.turn = stats.vonmises(concentration, loc)

    def cdf(self, x):
        return self.turn.cdf(np.clip(x, -np.pi, np.pi)) - self.turn.cdf(-np.pi)

    def pdf(self, x):
        return self.turn.pdf(x)

    def support(self):
        return -np.pi, np.pi


class Mixed:
    """A mixture of two frozen distributions."""

    def __init__(self, weight: float, first, second):
        self.weight, self.first, self.second = weight, first, second

    def cdf(self, x):
        return self.weight * self.first.cdf(x) + (1 - self.weight) * self.second.cdf(x)

    def pdf(self, x):
        return self.weight * self.first.pdf(x) + (1 - self.weight) * self.second.pdf(x)

    def support(self):
        return -np.inf, np.inf


def NormalMixture(a: float, b: float, loc: float, scale: float) -> Mixed:
    return Mixed(1 / (1 + np.exp(b - a)), stats.norm(loc, scale), stats.norm(1 - loc, 1 + scale))


def LaplaceMixture(a: float, loc: float) -> Mixed:
    return Mixed(1 / (1 + np.exp(-2 * a)), stats.laplace(loc), stats.laplace(1 - loc, 2))


@dataclass(frozen=True)
class Family:
    """A distribution in torch and in scipy."""

    make: Callable[..., td.Distribution]
    point: tuple[float, ...]
    """Its parameters."""
    scipy: Callable[..., stats.rv_continuous]
    forms: tuple[str, ...]

    def at(self, replicates: int = 1, dtype: torch.dtype = torch.float64) -> tuple[td.Distribution, list[Tensor]]:
        values = [torch.full((replicates,), value, dtype=dtype, requires_grad=True) for value in self.point]
        return self.make(*values), values


THREE = ("location-scale", "inverse-cdf", "implicit")
FAMILIES = {
    "Normal": Family(td.Normal, (0.7, 1.3), stats.norm, THREE),
    "LogNormal": Family(td.LogNormal, (0.2, 0.6), lambda m, s: stats.lognorm(s, scale=np.exp(m)), THREE),
    "Laplace": Family(td.Laplace, (-0.4, 1.5), stats.laplace, THREE),
    "Logistic": Family(Logistic, (0.3, 0.8), stats.logistic, THREE),
    "Gumbel": Family(td.Gumbel, (1.0, 2.0), stats.gumbel_r, THREE),
    "Exponential": Family(td.Exponential, (1.7,), lambda rate: stats.expon(scale=1 / rate), THREE),
    "Uniform": Family(td.Uniform, (-1.0, 2.5), lambda low, high: stats.uniform(low, high - low), THREE),
    "Weibull": Family(td.Weibull, (1.4, 0.8), lambda s, c: stats.weibull_min(c, scale=s), ("inverse-cdf", "implicit")),
    "Gamma": Family(td.Gamma, (0.7, 2.0), lambda a, b: stats.gamma(a, scale=1 / b), ("implicit",)),
    "Beta": Family(td.Beta, (0.8, 2.5), stats.beta, ("implicit",)),
    "InverseGamma": Family(td.InverseGamma, (3.0, 2.0), lambda a, b: stats.invgamma(a, scale=b), ("implicit",)),
    "FisherSnedecor": Family(td.FisherSnedecor, (5.0, 9.0), stats.f, ("implicit",)),
    "LogitRelaxedBernoulli": Family(
        lambda t, logit: LogitRelaxedBernoulli(t, logits=logit),
        (0.7, 0.4),
        lambda t, logit: stats.logistic(logit / t, 1 / t),
        THREE,
    ),
    "StudentT": Family(td.StudentT, (5.0, 1.0, 2.0), stats.t, ("implicit",)),
    "VonMises": Family(td.VonMises, (0.0, 1.7), lambda loc, k: VonMises(loc, k), ("implicit",)),
    "Kumaraswamy": Family(td.Kumaraswamy, (1.5, 2.5), lambda a, b: Kumaraswamy(a, b), ("inverse-cdf", "implicit")),
    "TruncatedNormal": Family(
        lambda loc, scale: TruncatedNormal(loc, scale, -1.0, 2.0),
        (0.5, 1.2),
        lambda m, s: stats.truncnorm((-1 - m) / s, (2 - m) / s, m, s),
        ("inverse-cdf", "implicit"),
    ),
    "tail of a normal": Family(
        lambda loc, scale: TruncatedNormal(loc, scale, 6.0, 8.0),
        (0.0, 1.0),
        lambda m, s: stats.truncnorm((6 - m) / s, (8 - m) / s, m, s),
        ("inverse-cdf", "implicit"),
    ),
    "mixture": Family(
        lambda a, b, loc, scale: td.MixtureSameFamily(
            td.Categorical(logits=torch.stack([a, b], -1)),
            td.Normal(torch.stack([loc, 1 - loc], -1), torch.stack([scale, 1 + scale], -1)),
        ),
        (0.3, -0.4, -1.0, 0.5),
        lambda a, b, loc, scale: NormalMixture(a, b, loc, scale),
        ("implicit",),
    ),
    "mixture of others": Family(
        lambda a, loc: td.MixtureSameFamily(
            td.Categorical(logits=torch.stack([a, -a], -1)),
            td.Laplace(torch.stack([loc, 1 - loc], -1), torch.stack([1 + 0 * loc, 2 + 0 * loc], -1)),
        ),
        (0.3, -1.0),
        lambda a, loc: LaplaceMixture(a, loc),
        ("implicit",),
    ),
}
NOT_BY_LEVEL = ("Beta", "FisherSnedecor", "StudentT")
"""Functions of two variates: their derivative given x is −∇F / q in expectation only."""
TWO_GAMMAS = ("Beta", "FisherSnedecor")
OWN_SAMPLER = ("mixture of others",)
FIXED = [name for name, family in FAMILIES.items() if len(family.forms) > 1]
"""Their noise does not depend on the parameters."""
FORMS = [(name, form) for name, family in FAMILIES.items() for form in family.forms]


def derivatives(family: Family, form: str, noise: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The samples `[S]`, and their derivative in each parameter."""
    size = noise.shape[0]
    q, values = family.at(size)
    x = families.sample(q, noise.reshape(1, size), form).squeeze(0)
    return x.detach(), list(torch.autograd.grad(x.sum(), values))
