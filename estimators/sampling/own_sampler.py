"""Distributions of which nothing is known but their own sampler, density and distribution function."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from estimators.noise import IID, NoiseSource, open_interval
from estimators.sampling.implicit import by_level
from estimators.sampling.transforms import Forms, Transform

__all__ = ["Fallback", "ImplicitCDF", "StraightThrough", "own_forms", "own_sample", "path", "seed", "uniform_like"]


def own_forms(q: td.Distribution) -> Forms:
    """q's `rsample`, or else its `sample`, made differentiable where q is a continuous scalar with a `cdf`.

    That it can be differentiated is what q says. Whoever claims it tries it first: `interface/refusals.py`.
    """
    if _has_rsample(q):
        return path(q) or {"rsample": Fallback(differentiable=True)}
    return {"implicit": ImplicitCDF()} if _has_cdf(q) else {"sample": Fallback(differentiable=False)}


def path(q: td.Distribution) -> Forms:
    """The `rsample` of a discrete q, which carries the derivative of something else; empty where there is none."""
    return {"rsample": StraightThrough()} if _has_rsample(q) and _is_discrete(q) else {}


def _has_rsample(q: td.Distribution) -> bool:
    """Whether q has an `rsample`: it says so, or has one and says nothing (torch's LogitRelaxedBernoulli)."""
    above = type(q).__mro__[: type(q).__mro__.index(td.Distribution)]
    says = "has_rsample" in vars(q) or any("has_rsample" in vars(kind) for kind in above)
    return q.has_rsample if says else type(q).rsample is not td.Distribution.rsample


def _is_discrete(q: td.Distribution) -> bool:
    """Whether q says that its support is discrete."""
    try:
        support = q.support
    except NotImplementedError:
        return False
    return support is not None and not constraints.is_dependent(support) and support.is_discrete


def _has_cdf(q: td.Distribution) -> bool:
    """Whether q is a continuous scalar with a distribution function of its own."""
    if q.event_shape or constraints.is_dependent(q.support) or q.support is None or q.support.is_discrete:
        return False
    return type(q).cdf is not td.Distribution.cdf


def seed(q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
    """A seed for a distribution's own sampler, `[S]`. ValueError: the source is a structured one."""
    if not isinstance(source, IID):
        raise ValueError(f"{type(q).__name__} is sampled by its own sampler and takes no structured noise")
    words = torch.randint(2**62, (1,), generator=source.generator, device=source.device)
    return words.expand(num_samples)


def own_sample(q: td.Distribution, seed: Tensor) -> Tensor:
    """Samples of a distribution's own sampler; the global generator is put back after."""
    draw = q.rsample if _has_rsample(q) else q.sample
    with torch.random.fork_rng(devices=[seed.device] if seed.is_cuda else []):
        # torch.manual_seed takes a millisecond where there is no GPU: it keeps the call, with its traceback, for later.
        (torch.manual_seed if seed.is_cuda else torch.default_generator.manual_seed)(int(seed[0]))
        return draw(seed.shape)


def uniform_like(like: Tensor, shape: torch.Size) -> Tensor:
    """Uniforms of torch's own generator, for the `rsample` of a distribution that torch lacks."""
    return open_interval(torch.rand(shape, dtype=like.dtype, device=like.device))


class OwnSampler(Transform):
    """A distribution through its own sampler; the noise is a seed."""

    structured: ClassVar[bool] = False
    seeded: ClassVar[bool] = True

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return seed(q, num_samples, source)

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return own_sample(q, noise)


@final
@dataclass(frozen=True)
class Fallback(OwnSampler):
    """Any distribution, differentiable where its sampler is an `rsample`."""

    differentiable: bool  # pyright: ignore


@final
@dataclass(frozen=True)
class StraightThrough(OwnSampler):
    """A discrete distribution with an `rsample`, whose derivative is not that of x."""

    differentiable: ClassVar[bool] = False
    straight_through: ClassVar[bool] = True


@final
@dataclass(frozen=True)
class ImplicitCDF(Transform):
    """Any one-dimensional distribution with a differentiable `cdf`: the noise is what its own sampler gives."""

    fixed_noise: ClassVar[bool] = False
    structured: ClassVar[bool] = False

    def noise(self, q: td.Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return own_sample(q, seed(q, num_samples, source)).detach()

    def sample(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return by_level(noise, q.cdf(noise), q.log_prob(noise).exp())

    def values(self, q: td.Distribution, noise: Tensor) -> Tensor:
        return noise
