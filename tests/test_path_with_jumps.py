"""The pathwise derivative with the mass that moves over jumps, against exact gradients."""

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Laplace

from estimators.interface import Params, Problem, replicated
from estimators.measure_valued.path_with_jumps import PathWithJumps
from estimators.pathwise import Pathwise
from estimators.registry import make_problem
from experiments.gradients.prepare import prepare

REPLICATES = 2**16


@dataclass(frozen=True)
class Crossed(Problem):
    """f = x₁ sign(x₀ − a) + 2·1[x₁ > −1] x₀² + x₀ x₁: a moving jump, and heights that depend on the other coordinate.

    x is Laplace of unit scale around loc, so that E f is a sum of moments and of distribution functions.
    """

    differentiable: ClassVar[bool] = False
    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        return {"loc": torch.tensor([0.4, -0.7], dtype=torch.float64), "at": torch.tensor(0.9, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Laplace(params["loc"], torch.ones_like(params["loc"])), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        first, second = x.unbind(-1)
        return second * (first - params["at"]).sign() + 2 * (second > -1) * first**2 + first * second

    def expected_cost(self, params: Params) -> Tensor:
        first, second = params["loc"].unbind(-1)
        signs = 1 - 2 * tail(first - params["at"])
        return second * signs + 2 * (1 - tail(second + 1)) * (first**2 + 2) + first * second

    def jumps(self, params: Params) -> Tensor:
        return torch.stack([params["at"], torch.full_like(params["at"], -1)], -1).unsqueeze(0)


def tail(y: Tensor) -> Tensor:
    """The probability that a Laplace variable of unit scale lies below −y."""
    return torch.where(y > 0, (-y.abs()).exp() / 2, 1 - (-y.abs()).exp() / 2)


@pytest.mark.parametrize("jump", [0.9, 0.2])
def test_no_bias_where_heights_are_noisy_and_jumps_move(jump: float):
    work = prepare(Crossed(), PathWithJumps(), 4, dtype="float64")
    params = work.params(REPLICATES) | {"at": torch.full((REPLICATES,), jump, dtype=torch.float64)}
    found = work.gradient(params, work.draw(work.source("jumps"), REPLICATES))
    exact = work.problem.exact_gradient({name: value[:1] for name, value in params.items()})
    assert exact is not None
    size = torch.cat([right.flatten() for right in exact.values()]).norm()
    for name, right in exact.items():
        error = found[name].std(0) / math.sqrt(REPLICATES)
        assert (error < 0.01 * size).all()
        assert ((found[name].mean(0) - right[0]).abs() < 4.5 * error).all()


def test_the_path_alone_is_blind_to_each_of_them():
    work = prepare(Crossed(), Pathwise(), 4, dtype="float64")
    found = work.gradient(work.params(REPLICATES), work.draw(work.source("jumps"), REPLICATES))
    exact = work.problem.exact_gradient(work.params(1))
    assert exact is not None
    for name, right in exact.items():
        assert ((found[name].mean(0) - right[0]).abs() > 20 * found[name].std(0) / math.sqrt(REPLICATES)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_known_heights_have_no_noise(dtype: str):
    work = prepare(make_problem("gaussian-step:dim=3,k=0.4"), PathWithJumps(), 2, dtype=dtype)
    found = work.gradient(work.params(5), work.draw(work.source("jumps"), 5))
    exact = work.problem.exact_gradient(replicated(work.point, 5))
    assert exact is not None
    for name, right in exact.items():
        torch.testing.assert_close(found[name], right.to(found[name]))


def test_jumps_have_to_be_stated():
    assert "states the jumps" in str(PathWithJumps().unsupported(make_problem("gaussian-quadratic"), 2))
    assert PathWithJumps().evaluations(make_problem("gaussian-step:dim=3"), 4) == 4 * 7
