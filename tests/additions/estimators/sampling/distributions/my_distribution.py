"""A distribution of one's own: the length of two independent Gaussians."""

import torch.distributions as td
from torch import Tensor

from estimators.sampling.family import Family, register_family
from estimators.sampling.standard_forms import by_quantile
from estimators.sampling.weak_derivatives import Pair, two_exponentials


class MyDistribution(td.Distribution):
    """p(x) = x / scale² exp(−x² / (2 scale²))."""

    arg_constraints = {"scale": td.constraints.positive}  # noqa: RUF012 # pyright: ignore
    support = td.constraints.positive  # pyright: ignore

    def __init__(self, scale: Tensor, validate_args: bool | None = None):
        self.scale = scale
        super().__init__(scale.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        return value.log() - 2 * self.scale.log() - (value / self.scale) ** 2 / 2

    def cdf(self, value: Tensor) -> Tensor:
        return 1 - (-((value / self.scale) ** 2) / 2).exp()


@register_family(MyDistribution)
def my_distribution() -> Family:
    return Family(
        forms=by_quantile(lambda u: (-2 * u.log()).sqrt(), lambda q, z: q.scale * z),
        weak_derivatives={
            "scale": Pair(
                lambda q: 2 / q.scale,
                lambda q, e, more: q.scale * (2 * (e + more)).sqrt(),
                lambda q, e, more: q.scale * (2 * e).sqrt(),
                two_exponentials,
            )
        },
    )
