"""The logistic distribution, which torch lacks."""

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all
from torch.nn.functional import logsigmoid

from estimators.sampling.family import Family, register_family
from estimators.sampling.own_sampler import uniform_like
from estimators.sampling.proposals import shifted_loc, widened_scale
from estimators.sampling.standard_forms import location_scale

__all__ = ["Logistic"]


class Logistic(Distribution):
    """The logistic distribution with location and scale: F(x) = sigmoid((x − loc) / scale)."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 # pyright: ignore
    support = constraints.real  # pyright: ignore
    has_rsample = True

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.scale * torch.pi) ** 2 / 3

    def expand(self, batch_shape, _instance=None) -> "Logistic":
        return Logistic(self.loc.expand(batch_shape), self.scale.expand(batch_shape), validate_args=False)

    def rsample(self, sample_shape=()) -> Tensor:
        return self.icdf(uniform_like(self.loc, self._extended_shape(torch.Size(sample_shape))))

    def log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return logsigmoid(z) + logsigmoid(-z) - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        return torch.sigmoid((value - self.loc) / self.scale)

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * torch.logit(value)


@register_family(Logistic)
def logistic() -> Family:
    return Family(forms=location_scale(torch.logit), widened=widened_scale, shifted=shifted_loc)
