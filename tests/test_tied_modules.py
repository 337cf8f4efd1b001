"""Parameters that two modules share, and states of modules that hold more than parameters."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.utils._pytree import tree_leaves

from estimators import Params, Problem, ReplicatedModule, make_estimator
from estimators.noise import IID
from experiments import measure, started_from

DATA = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
torch.manual_seed(0)
FIRST, SECOND = nn.Linear(3, 2), nn.Linear(3, 2)
SECOND.weight = FIRST.weight
GLOBAL = ReplicatedModule(FIRST, "encoder."), ReplicatedModule(SECOND, "decoder.")


class Coder(nn.Module):
    """The same weight on the way in and, transposed, on the way out."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.back = nn.Linear(2, 3)
        self.back.weight = nn.Parameter(self.layer.weight.detach().mT.clone())
        self.same = self.layer
        self.shift: Tensor
        self.register_buffer("shift", torch.ones(3))

    def encode(self, x: Tensor) -> Tensor:
        return self.layer(x - self.shift)

    def decode(self, z: Tensor) -> Tensor:
        return z @ self.layer.weight + self.back(z)


@dataclass(frozen=True)
class Tied(Problem):
    """The modules are no attributes: only what is called tells them."""

    cost_depends_on_params = True

    def initial_params(self) -> Params:
        return {name: value for part in GLOBAL for name, value in part.initial_params().items()}

    def distribution(self, params: Params) -> Independent:
        return Independent(Normal(GLOBAL[0].of_data(params, DATA.to(next(iter(params.values())))), 0.1), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return GLOBAL[1].of_samples(params, x.repeat_interleave(2, -1)[..., :3]).square().sum((-2, -1))


class TiedAttributes(Tied):
    parts = GLOBAL
    initial_params = Problem.initial_params


@dataclass(frozen=True)
class One(Problem):
    """What the refusal says to write."""

    cost_depends_on_params, data = True, DATA
    coder: Any = field(default_factory=lambda: ReplicatedModule(Coder(), "coder."), init=False, repr=False)

    def distribution(self, params: Params) -> Independent:
        return Independent(Normal(self.coder.of_data(params, self.data, method="encode"), 0.1), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (self.coder.of_samples(params, x, method="decode") - self.data).square().sum((-2, -1))


@pytest.mark.parametrize("problem", [Tied(), TiedAttributes()])
def test_a_weight_of_two_modules_is_refused_in_a_line(problem: Problem) -> None:
    """Before, each module had a copy of its own, and the gradient of neither was that of the weight."""
    with pytest.raises(ValueError, match=r"encoder\.weight and decoder\.weight are one tensor.* method=") as told:
        measure(problem, make_estimator("pathwise"), 2, replicates=64)
    assert "\n" not in str(told.value)


def test_the_gradient_of_a_weight_that_two_methods_share_is_the_sum_of_both() -> None:
    """Against automatic differentiation of the module itself, on the same noise."""
    problem: Any = One().to("cpu", torch.float64)
    estimator = make_estimator("pathwise")
    own = problem.initial_params()
    params = {name: value.unsqueeze(0) for name, value in own.items()}
    noise = estimator.draw(problem, params, 3, IID(0, dtype=torch.float64))
    found = estimator.gradient(problem, params, noise)
    module = Coder().double()
    module.load_state_dict({name.removeprefix("coder."): value for name, value in own.items()}, strict=False)
    (standard,) = [one for one in tree_leaves(noise) if isinstance(one, Tensor)]
    x = module.encode(DATA) + 0.1 * standard[:, 0]
    cost = (module.decode(x) - DATA).square().sum((-2, -1)).mean()
    wanted = torch.autograd.grad(cost, [module.layer.weight])[0]
    torch.testing.assert_close(found["coder.layer.weight"][0], wanted)
    at_fixed = torch.autograd.grad(
        (module.decode(x.detach()) - DATA).square().sum((-2, -1)).mean(), [module.layer.weight]
    )[0]
    assert (wanted - at_fixed).abs().min() > 1e-3, "one of both alone would be seen"


def test_a_state_holds_buffers_and_second_names_too(tmp_path: Path) -> None:
    """`state_dict` names a tied weight twice, and buffers."""
    trained = Coder()
    names = [*trained.state_dict()]
    assert "shift" in names and "same.weight" in names and "same.weight" not in dict(trained.named_parameters())
    torch.save(trained.state_dict(), tmp_path / "coder.pt")
    begun = started_from(One(), tmp_path / "coder.pt")
    assert torch.equal(begun.initial_params()["coder.layer.weight"], trained.layer.weight.detach().double())
    assert begun.initial_params().keys() == One().initial_params().keys()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shift", r"another coder\.shift than the module .*a buffer.*let the module load the file itself"),
        ("same.weight", r"different coder\.layer\.weight and coder\.same\.weight, which are one parameter"),
    ],
)
def test_a_state_that_the_problem_would_not_follow_is_refused_in_a_line(tmp_path: Path, name: str, said: str) -> None:
    state = {key: value.clone() for key, value in Coder().state_dict().items()}
    state[name] += 1
    torch.save(state, tmp_path / "coder.pt")
    with pytest.raises(ValueError, match=said) as told:
        started_from(One(), tmp_path / "coder.pt")
    assert "\n" not in str(told.value)


def test_a_part_that_a_module_holds_twice_stays_as_it_was() -> None:
    """It is one layer, whose weight gets the gradient of both its places, with many replicates as with one."""
    torch.manual_seed(2)
    layer = nn.Linear(3, 3)
    module = ReplicatedModule(nn.Sequential(layer, nn.Tanh(), layer), "twice.")
    params = {name: value.expand(4, *value.shape) for name, value in module.initial_params().items()}
    found = module.of_data(params, DATA)
    assert dict(module.module.named_parameters())["0.weight"] is layer.weight, "the module has its own weights again"
    torch.testing.assert_close(found, module.module.double()(DATA).expand(4, -1, -1))
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    slopes = torch.autograd.grad(module.of_data(leaves, DATA).square().sum(), [*leaves.values()])
    wanted = torch.autograd.grad(module.module(DATA).square().sum(), [*module.module.parameters()])
    for one, other in zip(slopes, wanted, strict=True):
        torch.testing.assert_close(one, other.expand(4, *other.shape))


def test_a_problem_that_is_no_dataclass_says_what_to_write() -> None:
    class Bare(Problem):
        def distribution(self, params: Params) -> Independent:
            raise NotImplementedError

        def cost(self, x: Tensor, params: Params) -> Tensor:
            raise NotImplementedError

    with pytest.raises(TypeError, match=r"Bare is no dataclass: write @dataclass\(frozen=True\)"):
        _ = Bare().spec
