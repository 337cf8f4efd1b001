"""Gaussian mixtures by their conditional distribution functions, one dimension after the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import torch
import torch.distributions as td
from torch import Tensor

from estimators.noise import IID, NoiseSource
from estimators.noise.quantiles import solve
from estimators.sampling.standard_forms import normal_cdf
from estimators.sampling.transforms import Transform

__all__ = ["RosenblattMixture"]


class Mixture(NamedTuple):
    """K Gaussians in D dimensions; leading axes are those of the batch."""

    log_weights: Tensor
    """`[…, K]`."""
    loc: Tensor
    """`[…, K, D]`."""
    root: Tensor
    """Lower triangular `[…, K, D, D]`."""


class Conditional(NamedTuple):
    """The mixture `[…, K]` of the next coordinate, given those before."""

    weights: Tensor
    mean: Tensor
    scale: Tensor

    def level(self, x: Tensor) -> Tensor:
        """F(x), less one where it is above one half, so that neither tail loses its digits."""
        z = (x.unsqueeze(-1) - self.mean) / self.scale
        lower = (self.weights * normal_cdf(z)).sum(-1)
        upper = (self.weights * normal_cdf(-z)).sum(-1)
        return torch.where(lower.detach() < 0.5, lower, -upper)

    def density(self, x: Tensor) -> Tensor:
        z = (x.unsqueeze(-1) - self.mean) / self.scale
        return (self.weights * (-(z**2) / 2).exp() / self.scale).sum(-1) / math.sqrt(2 * math.pi)

    def quantile(self, u: Tensor) -> Tensor:
        """x at the level u, between the smallest and the largest quantile of a component; float64, no gradients."""
        weights, mean, scale = (value.detach().double() for value in self)
        wide = Conditional(weights, mean, scale)
        ends = mean + scale * torch.special.ndtri(u.double()).unsqueeze(-1)
        low, high = ends.amin(-1), ends.amax(-1)

        def excess(x: Tensor) -> tuple[Tensor, Tensor]:
            return torch.remainder(wide.level(x), 1) - u, wide.density(x)

        return solve(excess, (low + high) / 2, low, high, unit=scale.amin(-1)).to(u.dtype)


@final
@dataclass(frozen=True)
class RosenblattMixture(Transform):
    r"""A mixture of Gaussians, the noise being the sample itself.

    $u_d = F_d(x_d \mid x_{<d}; \theta)$ inverts the multivariate distribution function one dimension after the other
    (Rosenblatt 1952). With $u$ held fixed, $\nabla_\theta x_d = -\nabla_\theta F_d(x_d \mid x_{<d}(\theta); \theta) /
    q(x_d \mid x_{<d})$, where the earlier coordinates bring their own derivatives (Figurnov, Mohamed & Mnih 2018).
    Weights, means and scales of the components are all differentiated; scales may be full triangular roots.
    """

    fixed_noise: ClassVar[bool] = False

    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        mixture = Mixture(*(value.detach() for value in _mixture(q)))
        shape = (num_samples, *mixture.loc.shape[:-2], mixture.loc.shape[-1])
        x = _ancestral(mixture, shape, source) if isinstance(source, IID) else _inverted(mixture, source.uniform(shape))
        return x.reshape(num_samples, *q.batch_shape, *q.event_shape)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        mixture = _mixture(q)
        points = noise.reshape(*noise.shape[: noise.ndim - len(q.event_shape)], -1)
        moved: list[Tensor] = []
        for fixed, conditional in zip(points.unbind(-1), _conditionals(mixture, moved), strict=False):
            level = conditional.level(fixed)
            moved.append(fixed - (level - level.detach()) / conditional.density(fixed).detach())
        return torch.stack(moved, -1).reshape(noise.shape)

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return noise


def _mixture(q: Any) -> Mixture:
    component = q.component_distribution
    while isinstance(component, td.Independent):
        component = component.base_dist
    log_weights = q.mixture_distribution.logits.log_softmax(-1)
    if isinstance(component, td.MultivariateNormal):
        return Mixture(log_weights, component.loc, component.scale_tril)
    loc, scale = component.loc, component.scale
    if not q.event_shape:
        loc, scale = loc.unsqueeze(-1), scale.unsqueeze(-1)
    return Mixture(log_weights, loc, torch.diag_embed(scale))


def _conditionals(mixture: Mixture, before: list[Tensor]) -> Iterator[Conditional]:
    """The conditional of each coordinate; the caller appends the coordinate to `before` in between."""
    log_weights, white = mixture.log_weights, torch.zeros_like(mixture.loc[..., :0])
    for d in range(mixture.loc.shape[-1]):
        scale = mixture.root[..., d, d]
        mean = mixture.loc[..., d] + (mixture.root[..., d, :d] * white).sum(-1)
        yield Conditional(log_weights.softmax(-1), mean, scale)
        z = (before[d].unsqueeze(-1) - mean) / scale
        log_weights = log_weights - z**2 / 2 - scale.log()
        white = torch.cat([white.expand(*z.shape, d), z.unsqueeze(-1)], -1)


def _ancestral(mixture: Mixture, shape: tuple[int, ...], source: NoiseSource) -> Tensor:
    """Draws a component by its weight, then from it: much cheaper than inversion, as good for independent samples."""
    normal = source.normal(shape)
    levels = mixture.log_weights.exp().cumsum(-1)[..., :-1]
    pick = (source.uniform(shape[:-1]).unsqueeze(-1) > levels).sum(-1)
    chosen = torch.nn.functional.one_hot(pick, mixture.loc.shape[-2]).to(normal.dtype)
    loc = (chosen.unsqueeze(-1) * mixture.loc).sum(-2)
    root = torch.einsum("...k,...kij->...ij", chosen, mixture.root)
    return loc + (root @ normal.unsqueeze(-1)).squeeze(-1)


def _inverted(mixture: Mixture, u: Tensor) -> Tensor:
    found: list[Tensor] = []
    for level, conditional in zip(u.unbind(-1), _conditionals(mixture, found), strict=False):
        found.append(conditional.quantile(level))
    return torch.stack(found, -1)
