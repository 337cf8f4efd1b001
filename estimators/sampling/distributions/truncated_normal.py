"""The truncated normal distribution, which torch lacks."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all

from estimators.sampling.family import Family, register_family
from estimators.sampling.own_sampler import uniform_like
from estimators.sampling.standard_forms import by_quantile, identity, normal_cdf

__all__ = ["TruncatedNormal"]


class TruncatedNormal(Distribution):
    """A normal distribution with `loc` and `scale` before it is cut off below `low` and above `high`.

    The bounds are constants: nothing is differentiated in them.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 # pyright: ignore
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        low: Tensor | float,
        high: Tensor | float,
        validate_args: bool | None = None,
    ):
        self.loc, self.scale, low, high = broadcast_all(loc, scale, low, high)
        self.low, self.high = low.detach(), high.detach()
        super().__init__(self.loc.shape, validate_args=validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("a truncated normal needs low < high")

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):  # pyright: ignore
        return constraints.interval(self.low, self.high)

    def expand(self, batch_shape, _instance=None) -> "TruncatedNormal":
        parts = (part.expand(batch_shape) for part in (self.loc, self.scale, self.low, self.high))
        return TruncatedNormal(*parts, validate_args=False)

    def rsample(self, sample_shape=()) -> Tensor:
        return self.icdf(uniform_like(self.loc, self._extended_shape(torch.Size(sample_shape))))

    def log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        mass = self._below(self.high) - self._below(self.low)
        return -(z**2) / 2 - math.log(2 * math.pi) / 2 - (self.scale * mass).log()

    def cdf(self, value: Tensor) -> Tensor:
        start, end = self._below(self.low), self._below(self.high)
        return (self._below(value) - start) / (end - start)

    def icdf(self, value: Tensor) -> Tensor:
        """x at a level: as exact for an interval in the upper tail as for one in the lower."""
        start, end = self._below(self.low), self._below(self.high)
        z = torch.special.ndtri(torch.lerp(start, end, value).abs())
        x = self.loc + self.scale * torch.where(self._mirrored, -z, z)
        return torch.minimum(torch.maximum(x, self.low), self.high)

    @property
    def _mirrored(self) -> Tensor:
        """Whether the interval lies above loc, where probabilities are counted from the upper end, negatively."""
        return self.low > self.loc

    def _below(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return torch.where(self._mirrored, -normal_cdf(-z), normal_cdf(z))


@register_family(TruncatedNormal)
def truncated_normal() -> Family:
    return Family(forms=by_quantile(identity, lambda q, u: q.icdf(u)))
