"""ReinMax and gapped straight-through: by enumeration against exact gradients, and by the formulas of their papers."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators.discrete.gapped_straight_through import GappedStraightThrough
from estimators.interface import Estimator, Params, Problem, replicated, start
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families

CUBIC = torch.tensor([0.3, -1.1, 0.7, 2.0], dtype=torch.float64)


@dataclass(frozen=True)
class OneChoice(Problem):
    """One variable of four classes, with any cost of it."""

    of: Callable[[Tensor], Tensor] = field(default=lambda x: (x @ CUBIC.to(x)) ** 2)

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.4, -0.9, 1.1, 0.0], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.OneHotCategorical(logits=params["logits"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.of(x)

    def support(self, params: Params) -> Tensor:
        return torch.eye(4).unsqueeze(1).expand(-1, len(params["logits"]), -1).to(params["logits"])


@dataclass(frozen=True)
class ThreeBits(Problem):
    """Bits of which no two are alike in a cost that is quadratic in each, and has all products of them."""

    power: int = 2

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.4, -0.9, 1.7], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Bernoulli(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x @ torch.tensor([0.5, -1.0, 2.0]).to(x) - 0.3) ** self.power + x.prod(-1)

    def support(self, params: Params) -> Tensor:
        return torch.cartesian_prod(*[torch.arange(2.0)] * 3).unsqueeze(1).to(params["logits"])


def mean_over_samples(estimator: Estimator, problem: Problem) -> tuple[Tensor, Tensor]:
    """The expected gradient in the logits, by enumeration of all samples, and the exact one."""
    logits = start(problem)["logits"][0]
    bits = isinstance(problem, ThreeBits)
    odds = torch.stack([logits.sigmoid(), (-logits).sigmoid()], -1) if bits else logits.softmax(-1).reshape(-1, 4)
    places = odds.cumsum(-1) - odds / 2
    cells = torch.tensor(list(itertools.product(range(odds.shape[1]), repeat=len(odds))))
    noise = places.gather(1, cells.T).T.reshape(len(cells), *problem.initial_distribution.batch_shape[1:], -1)
    noise = noise.reshape(1, len(cells), *((-1,) if len(odds) > 1 else ()))
    gradient = estimator.gradient(problem, replicated({"logits": logits}, len(cells)), noise)["logits"]
    weight = odds.gather(1, cells.T).prod(0)
    exact = problem.exact_gradient(start(problem))
    assert exact is not None
    return torch.einsum("r,r...->...", weight, gradient), exact["logits"][0]


QUADRATIC = [make_problem("categorical-toy"), OneChoice(), ThreeBits()]


@pytest.mark.parametrize("problem", QUADRATIC, ids=lambda made: type(made).__name__)
def test_reinmax_is_exact_where_the_cost_is_quadratic_in_each_variable(problem: Problem) -> None:
    found, exact = mean_over_samples(make_estimator("reinmax"), problem)
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=1e-12)
    straight, _ = mean_over_samples(make_estimator("straight-through"), problem)
    assert (straight - exact).norm() > 0.05 * exact.norm()


def test_straight_through_is_a_fifth_off_where_reinmax_is_exact() -> None:
    straight, exact = mean_over_samples(make_estimator("straight-through"), make_problem("categorical-toy"))
    assert round(float((straight - exact).norm() / exact.norm()), 3) == 0.196


def test_reinmax_takes_differences_by_the_trapezoidal_rule() -> None:
    """Of a cubic cost, Σ π_D π_k (f'(D) + f'(k)) · (k − D) / 2 in place of Σ π_D π_k (f(k) − f(D)), along ∂ log π_k."""
    problem = OneChoice(lambda x: (x @ CUBIC.to(x)) ** 3)
    found, exact = mean_over_samples(make_estimator("reinmax"), problem)
    pi = start(problem)["logits"][0].softmax(-1)
    ends, rise = 3 * CUBIC**2, CUBIC.unsqueeze(0) - CUBIC.unsqueeze(1)  # f' and w·(k − D), indexed [D, k]
    wanted = pi * (pi.unsqueeze(1) * (ends.unsqueeze(0) + ends.unsqueeze(1)) / 2 * rise).sum(0)
    torch.testing.assert_close(found, wanted)
    assert (found - exact).norm() > 0.05 * exact.norm()


@pytest.mark.parametrize("problem", [OneChoice(), ThreeBits(3)], ids=["classes", "bits"])
def test_reinmax_by_the_formula_of_the_paper(problem: Problem) -> None:
    """2 J((π + D)/2) g − ½ J(π) g in the logits; of a bit, J(p) = p (1 − p)."""
    logits = start(problem)["logits"].expand(50, -1)
    bits = isinstance(problem, ThreeBits)
    noise = torch.rand(1, 50, *((3,) if bits else ()), generator=torch.Generator().manual_seed(0)).double()
    x = families.values(problem.distribution({"logits": logits}), noise).requires_grad_()
    (g,) = torch.autograd.grad(problem.cost(x, {"logits": logits}).sum(), x)

    def jacobian(p: Tensor) -> Tensor:
        return p * (1 - p) * g if bits else p * (g - (p * g).sum(-1, keepdim=True))

    pi = logits.sigmoid() if bits else logits.softmax(-1)
    wanted = (2 * jacobian((pi + x) / 2) - jacobian(pi) / 2).squeeze(0)
    found = make_estimator("reinmax").gradient(problem, {"logits": logits}, noise)["logits"]
    torch.testing.assert_close(found, wanted.detach())


@pytest.mark.parametrize("problem", [OneChoice(), ThreeBits()], ids=["classes", "bits"])
@pytest.mark.parametrize(("gap", "temperature"), [(1.0, 1.0), (0.4, 0.5), (3.0, 2.0)])
def test_gapped_straight_through_by_the_steps_of_the_paper(problem: Problem, gap: float, temperature: float) -> None:
    """Class by class; a bit has the two logits 0 and ℓ."""
    logits = start(problem)["logits"].expand(50, -1).clone().requires_grad_()
    bits = isinstance(problem, ThreeBits)
    noise = torch.rand(1, 50, *((3,) if bits else ()), generator=torch.Generator().manual_seed(0)).double()
    x = families.values(problem.distribution({"logits": logits}), noise)[0]
    own = torch.stack([torch.zeros_like(logits), logits], -1) if bits else logits
    chosen = torch.stack([1 - x, x], -1) if bits else x
    moved = own.detach().clone()
    for row, one in zip(moved.reshape(-1, moved.shape[-1]), chosen.reshape(-1, moved.shape[-1]), strict=True):
        top, sampled = float(row.max()), int(one.argmax())
        for k in range(len(row)):
            row[k] = top if k == sampled else min(float(row[k]), top - gap)
    soft = ((own + (moved - own.detach())) / temperature).softmax(-1)
    soft = soft[..., 1] if bits else soft
    at = x.detach().requires_grad_()
    (g,) = torch.autograd.grad(problem.cost(at.unsqueeze(0), {"logits": logits}).sum(), at)
    (wanted,) = torch.autograd.grad((soft * g).sum(), logits)
    made = make_estimator(f"gapped-straight-through:gap={gap},temperature={temperature}")
    found = made.gradient(problem, {"logits": logits.detach()}, noise)["logits"]
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("gap", [-1.0, math.inf, math.nan])
def test_the_gap_is_a_number_that_is_not_negative(gap: float) -> None:
    with pytest.raises(ValueError, match="gap must be finite and not negative"):
        GappedStraightThrough(gap=gap)
