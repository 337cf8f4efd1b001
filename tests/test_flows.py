# pyright: reportArgumentType=false
"""Scores of transformed distributions: the derivative at fixed x, by what each transform was applied to."""

from collections.abc import Callable

import pytest
import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.distributions import transforms as tt

from estimators import IID, drawn, values
from estimators.sampling import families


def normal(loc: Tensor, scale: Tensor) -> td.Normal:
    return td.Normal(loc, scale)


def standard(like: Tensor) -> td.Normal:
    return td.Normal(torch.zeros_like(like), torch.ones_like(like))


def flow(base: td.Distribution, *transforms: tt.Transform) -> td.Distribution:
    return td.TransformedDistribution(base, list(transforms))


class Cubic(tt.Transform):
    """x = z³ + a z, which says neither whether it increases nor how it is inverted but for Newton steps."""

    domain = codomain = constraints.real
    bijective = True

    def __init__(self, slope: Tensor):
        super().__init__()
        self.slope = slope

    def _call(self, x: Tensor) -> Tensor:
        return x**3 + self.slope * x

    def _inverse(self, y: Tensor) -> Tensor:
        z = y.detach().sign() * y.detach().abs() ** (1 / 3)
        for _ in range(60):
            z = z - (z**3 + self.slope.detach() * z - y.detach()) / (3 * z**2 + self.slope.detach())
        return z - (self._call(z) - y) / (3 * z**2 + self.slope).detach()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (3 * x**2 + self.slope).log()


FLOWS: dict[str, Callable[[Tensor, Tensor], td.Distribution]] = {
    "the base moves": lambda m, s: flow(normal(m, s), tt.TanhTransform()),
    "with a cache": lambda m, s: td.Independent(flow(normal(m, s), tt.TanhTransform(cache_size=1)), 1),
    "the first transform moves": lambda m, s: flow(standard(m), tt.AffineTransform(m, s), tt.SigmoidTransform()),
    "with caches": lambda m, s: flow(
        standard(m), tt.AffineTransform(m, s, cache_size=1), tt.ExpTransform(cache_size=1)
    ),
    "composed": lambda m, s: flow(
        standard(m),
        tt.ComposeTransform([tt.AffineTransform(m, s), tt.TanhTransform(), tt.AffineTransform(1.0, 3.0)], cache_size=1),
    ),
    "the last moves, falling": lambda m, s: flow(
        normal(m, s), tt.IndependentTransform(tt.ComposeTransform([tt.TanhTransform(), tt.AffineTransform(m, -s)]), 1)
    ),
    "all move": lambda m, s: flow(
        normal(m, s),
        tt.AffineTransform(m, s),
        tt.TanhTransform(),
        tt.AffineTransform(m, s),
        tt.ExpTransform(),
        tt.PowerTransform(s),
    ),
    "an event of another size": lambda m, s: flow(td.Independent(normal(m, s), 1), tt.StickBreakingTransform()),
    "moved to another size": lambda m, s: flow(standard(m), tt.AffineTransform(m, s), tt.StickBreakingTransform()),
    "a subclass": lambda m, s: td.LogisticNormal(m, s),
    "nested": lambda m, s: flow(
        flow(normal(m, s), tt.ExpTransform()), tt.AffineTransform(0.0, s), tt.ExpTransform().inv
    ),
    "of a uniform": lambda m, s: flow(
        td.Uniform(torch.zeros_like(m), torch.ones_like(m)), tt.SigmoidTransform().inv, tt.AffineTransform(m, s)
    ),
    "by event": lambda m, s: flow(td.Independent(standard(m), 1), tt.AffineTransform(m, s, event_dim=1)),
    "of a Gamma": lambda m, s: flow(td.Gamma(s, m.exp()), tt.AffineTransform(0.0, m.exp() * s)),
    "of one's own": lambda m, s: flow(normal(m, s), Cubic(s), tt.TanhTransform()),
    "of one's own in the middle": lambda m, s: flow(normal(m, s), Cubic(s), tt.AffineTransform(m, s)),
    "a distribution function": lambda m, s: flow(
        normal(m, s), tt.CumulativeDistributionTransform(td.Normal(torch.zeros_like(m), torch.ones_like(m)))
    ),
}


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("name", FLOWS)
def test_scores_are_those_of_torch_where_nothing_rounds(name: str, same: bool) -> None:
    loc = torch.tensor([[0.3, -0.4]] * 3, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([[0.6, 0.8]] * 3, dtype=torch.float64, requires_grad=True)
    q = FLOWS[name](loc, scale)
    noise = families.noise(q, 5, IID(0, dtype=torch.float64))
    x, samples = values(q, noise), drawn(q, noise)  # what is drawn last is in the caches
    assert torch.equal(samples.x, x)
    ours = samples.log_prob(q if same else FLOWS[name](loc, scale))
    theirs = FLOWS[name](loc, scale).log_prob(samples.x.clone())
    assert ours.shape == theirs.shape
    each = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wanted = torch.autograd.grad((each * theirs).sum(), [loc, scale])
    for found, other in zip(torch.autograd.grad((each * ours).sum(), [loc, scale]), wanted, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-9, atol=1e-9)

    def weighted(loc: Tensor, scale: Tensor) -> Tensor:
        return (each * samples.log_prob(FLOWS[name](loc, scale))).sum()

    for found, other in zip(torch.func.grad(weighted, (0, 1))(loc.detach(), scale.detach()), wanted, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_derivative_at_fixed_x_survives_a_saturated_transform(dtype: torch.dtype) -> None:
    """x = b + tanh(z), z ~ N(m, 1): d log q / db = (m − z + 2 tanh z) / (−J), J = 1 / cosh² z, where tanh z is 1."""
    z = torch.tensor([[8.0], [12.0], [-15.0]], dtype=dtype)
    loc, shift = torch.zeros(1, dtype=dtype), torch.zeros(1, dtype=dtype)

    def q(shift: Tensor) -> td.Distribution:
        return flow(normal(loc, torch.ones_like(loc)), tt.TanhTransform(), tt.AffineTransform(shift, 1.0))

    samples = drawn(q(shift), z)
    for row, found in zip(z.double(), torch.func.jacrev(lambda b: samples.log_prob(q(b)))(shift), strict=True):
        wanted = (row - 2 * row.tanh()) * row.cosh() ** 2
        torch.testing.assert_close(found[0].double(), wanted, rtol=1e-5, atol=0.0)


def test_a_density_of_ones_own_is_kept() -> None:
    """A folded normal distribution has two branches, which its base does not know."""

    class Folded(td.TransformedDistribution):
        def __init__(self, loc: Tensor):
            super().__init__(td.Normal(loc, torch.ones_like(loc)), [tt.AbsTransform()])

        def log_prob(self, value: Tensor) -> Tensor:
            return torch.logaddexp(self.base_dist.log_prob(value), self.base_dist.log_prob(-value))

    loc = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    q = Folded(loc)
    samples = drawn(q, families.noise(q, 20, IID(0, dtype=torch.float64)))
    assert torch.equal(samples.log_prob(q), q.log_prob(samples.x))
