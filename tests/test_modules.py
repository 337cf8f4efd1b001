"""A module of one's own: against itself, replicate by replicate."""

import copy
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem, replicated
from estimators.modules import ReplicatedModule
from estimators.noise import IID
from estimators.registry import make_estimator
from experiments.measuring import long_run
from experiments.measuring.loop import measure


def network(inputs: int, outputs: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs))


class Shifted(nn.Module):
    """With buffers, one of them of whole numbers, and a parameter that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor([0.5, -1.0]))
        self.register_buffer("order", torch.tensor([1, 0]))
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))

    centre: Tensor
    order: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return (x[..., self.order] - self.centre) @ self.weight @ self.weight


def scattered(made: ReplicatedModule, replicates: int, dtype: torch.dtype = torch.float64) -> Params:
    generator = torch.Generator().manual_seed(1)
    return {
        name: (value + torch.randn(replicates, *value.shape, generator=generator, dtype=torch.float64)).to(dtype)
        for name, value in made.initial_params().items()
    }


def alone(module: nn.Module, params: Params, row: int, prefix: str, x: Tensor) -> Tensor:
    """The module itself, with the parameters of one replicate written into it."""
    own = copy.deepcopy(module).to(x.dtype)
    with torch.no_grad():
        for name, value in own.named_parameters():
            value.copy_(params[f"{prefix}{name}"][row])
        return own(x)


@pytest.mark.parametrize("module", [network(2, 3), Shifted()], ids=["sequential", "buffers"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("replicates", [1, 5])
def test_each_replicate_has_its_own_network(module: nn.Module, dtype: torch.dtype, replicates: int) -> None:
    made = ReplicatedModule(module, "net.")
    params = scattered(made, replicates, dtype)
    assert set(params) == {f"net.{name}" for name, _ in module.named_parameters()}
    samples, data = torch.randn(4, replicates, 6, 2, dtype=dtype), torch.randn(7, 2, dtype=dtype)
    own = torch.randn(replicates, 7, 2, dtype=dtype)
    of_samples, of_data = made.of_samples(params, samples), made.of_data(params, data)
    of_batches = made.of_batches(params, own)
    assert of_samples.shape[:3] == (4, replicates, 6) and of_data.shape[:2] == of_batches.shape[:2] == (replicates, 7)
    for row in range(replicates):
        for found, x in ((of_samples[:, row], samples[:, row]), (of_data[row], data), (of_batches[row], own[row])):
            assert found.dtype == dtype
            torch.testing.assert_close(found, alone(module, params, row, "net.", x))


def test_the_module_stays_as_it_is() -> None:
    module = network(2, 1)
    made = ReplicatedModule(module)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    start = made.initial_params()
    start["0.bias"] += 1
    params = {name: value.requires_grad_() for name, value in scattered(made, 3).items()}
    made.of_samples(params, torch.ones(2, 3, 2, dtype=torch.float64)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(value.grad is None for value in module.parameters())
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in params.values())


@dataclass(frozen=True)
class Critic(Problem):
    """x ~ N(m(data), 1), with a network for m, and another as the cost."""

    policy: ClassVar = ReplicatedModule(network(3, 2), "policy.")
    critic: ClassVar = ReplicatedModule(network(2, 1), "critic.")
    data: Tensor = field(init=False, default_factory=lambda: torch.eye(3, dtype=torch.float64), compare=False)

    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        return self.policy.initial_params() | self.critic.initial_params()

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(self.policy.of_data(params, self.data), 1.0), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.critic.of_samples(params, x).sum((-2, -1))


def test_estimators_take_it_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unbiased against each other: pathwise measures what the score function is compared with."""
    monkeypatch.setattr(long_run, "ELEMENTS", 2**21)
    made = Critic()
    found = measure(made, make_estimator("score-function:control_variate=leave-one-out"), 4, replicates=20_000, seed=0)
    assert found.verdict != "biased"
    assert set(found.mean) == set(made.initial_params())


def test_replicates_are_independent_rows() -> None:
    made, pathwise = Critic(), make_estimator("pathwise")
    params = scattered(made.policy, 4) | scattered(made.critic, 4)
    noise = pathwise.draw(made, params, 3, IID(0, dtype=torch.float64))
    together = pathwise.gradient(made, params, noise)
    for row in range(4):
        own = {name: value[row : row + 1] for name, value in params.items()}
        for name, value in pathwise.gradient(made, own, noise[:, row : row + 1]).items():
            torch.testing.assert_close(value[0], together[name][row])
    shared = pathwise.gradient(made, replicated(made.initial_params(), 4), noise)
    assert all(value.shape[0] == 4 for value in shared.values())
