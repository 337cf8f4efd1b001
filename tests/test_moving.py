"""Modules and other constants of a problem move with it, and a cost may differentiate inside."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem
from estimators.interface.moving import moved_to
from estimators.noise import IID
from estimators.registry import components, make_estimator
from experiments.gradients.prepare import prepare
from experiments.machine.errors import reason


def network(outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, outputs))


NET = network()


@dataclass(frozen=True)
class Gaussian(Problem):
    name = "of-a-file"

    def initial_params(self) -> Params:
        return {"loc": torch.ones(2)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], torch.ones_like(params["loc"])), 1)


@dataclass(frozen=True)
class OfField(Gaussian):
    net: nn.Module = field(init=False, default=NET)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.net(x).squeeze(-1)


@dataclass(frozen=True)
class OfOption(Gaussian):
    """As people write it who have not read about fields."""

    net: nn.Module = NET

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.net(x).squeeze(-1)


@dataclass(frozen=True)
class OfClass(Gaussian):
    parts: ClassVar[dict[str, Any]] = {"nets": [NET, (torch.ones(2), 3)], "text": "x"}

    def cost(self, x: Tensor, params: Params) -> Tensor:
        net, (factor, power) = self.parts["nets"]
        return net(x * factor).squeeze(-1) ** (power - 2)


@dataclass(frozen=True)
class OfGlobal(Gaussian):
    def cost(self, x: Tensor, params: Params) -> Tensor:
        return NET(x).squeeze(-1)


@dataclass(frozen=True)
class Force(Gaussian):
    """The squared force of an energy, by autograd on a copy that is cut off from x."""

    differentiable = False

    def cost(self, x: Tensor, params: Params) -> Tensor:
        y = x.detach().requires_grad_()
        (force,) = torch.autograd.grad((y**2).sum(), y, create_graph=True)
        return (force**2).sum(-1) / 4


def gradient(problem: Problem, spec: str, dtype: str) -> Tensor:
    work = prepare(problem, make_estimator(spec), 8, dtype=dtype)
    return work.gradients(0)[:2_000].double()


@pytest.mark.parametrize("kind", [OfField, OfOption, OfClass])
def test_a_module_moves_as_a_copy(kind: type[Gaussian]) -> None:
    """The gradient in either dtype is that of the network by hand; the module of the file stays what it was."""
    problem = kind()
    assert problem.spec == "of-a-file" == problem.to("cpu", torch.float64).spec
    work = prepare(problem, make_estimator("pathwise"), 8, dtype="float64")
    x = (1 + work.noise(0)[:, :2_000]).requires_grad_()
    exact = network().double()
    (wanted,) = torch.autograd.grad(exact(x).mean(0).sum(), x)
    torch.testing.assert_close(gradient(problem, "pathwise", "float64"), wanted.sum(0))
    assert gradient(problem, "pathwise", "float32").isfinite().all()
    assert {value.dtype for value in NET.parameters()} == {torch.float32}
    single = problem.to("cpu", torch.float32)
    assert single.to("cpu", torch.float32).cost(torch.ones(1, 1, 2), {}).dtype == torch.float32


def test_what_is_in_its_place_is_not_copied() -> None:
    held = {"net": NET, "more": (torch.ones(2), "text", [3])}
    assert moved_to(held, torch.device("cpu"), torch.float32) is held
    moved = moved_to(held, torch.device("cpu"), torch.float64)
    assert moved["more"][0].dtype == torch.float64 and moved["more"][1:] == ("text", [3])
    assert moved["net"] is not NET and moved["net"][0].weight.dtype == torch.float64


def test_a_global_module_is_told_in_a_line() -> None:
    with pytest.raises(
        ValueError, match=r"^the cost of of-a-file fails on float64 .* make it an attribute .*test_moving.py:\d+\)$"
    ) as told:
        prepare(OfGlobal(), make_estimator("pathwise"), 4, dtype="float64")
    assert "\n" not in str(told.value)


EVERY = [spec for cls in components("estimator").values() for spec in cls.variants()]


@pytest.mark.parametrize("spec", EVERY)
def test_a_cost_that_differentiates_works_or_names_what_to_write(spec: str, short_fits: None) -> None:
    """f = |x|², so that the gradient of a score function is 2 θ; x is a constant to the author's own autograd."""
    estimator = make_estimator(spec)
    if estimator.unsupported(Force(), 4):
        return
    try:
        work = prepare(Force(), estimator, 4, dtype="float64")
        found = work.gradient(work.params(2), work.draw(IID(0, dtype=torch.float64), 2))
    except Exception as error:
        assert "torch.func.grad" in reason(error)
    else:
        assert found["loc"].isfinite().all()


def test_a_cost_that_is_cut_off_from_x_is_not_differentiable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Force, "differentiable", True)
    with pytest.raises(ValueError, match=r"has no derivative in x .* differentiable = False, .*torch\.func\.grad"):
        prepare(Force(), make_estimator("pathwise"), 4)


def test_moved_costs_see_what_the_author_differentiates() -> None:
    """Finite differences of E|x|² in each entry: 2 θ, exact for a quadratic on common noise, whatever the noise."""
    work = prepare(Force(), make_estimator("finite-differences"), 4, dtype="float64")
    noise = work.draw(IID(0, dtype=torch.float64), 3)
    wanted = 2 * (1 + noise).mean(0)
    torch.testing.assert_close(work.gradient(work.params(3), noise)["loc"], wanted, rtol=1e-6, atol=1e-6)
