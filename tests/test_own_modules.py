"""Modules of a user's own: found by themselves, trained in place, and computed once for each gradient."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from estimators import Problem, ReplicatedModule, make_estimator
from estimators.interface import Params, computed_once, once, replicated
from estimators.noise import IID

DATA = torch.linspace(-1, 1, 12).view(4, 3)


def linear(inputs: int, outputs: int) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(inputs)
        return nn.Linear(inputs, outputs)


class Autoencoder(Problem):
    """The squared error of what passed through a noisy code, and the code's own size: q is asked for twice."""

    cost_depends_on_params = True

    def __init__(self) -> None:
        self.encoder = ReplicatedModule(linear(3, 2), "encoder.")
        self.others = {"decoder": [ReplicatedModule(linear(2, 3), "decoder.")]}
        self.data = DATA.double()

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(self.encoder.of_data(params, self.data), 0.1), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        (decoder,) = self.others["decoder"]
        error = decoder.of_samples(params, x) - self.data
        return (error**2).sum((-2, -1)) + self.distribution(params).mean.square().sum((-2, -1))


class Scaled(Autoencoder):
    """With a parameter that is no module's."""

    def initial_params(self) -> Params:
        return super().initial_params() | {"log_scale": torch.zeros(2, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        scale = params["log_scale"].exp().unsqueeze(-2)
        return Independent(Normal(self.encoder.of_data(params, self.data), scale), 2)


class OfClass(Problem):
    """Modules among the attributes of the class, one of them under two names."""

    net: ClassVar = ReplicatedModule(linear(3, 2))
    same: ClassVar = ReplicatedModule(net.module)
    other: ClassVar = (ReplicatedModule(linear(2, 2), "other."),)

    def distribution(self, params: Params) -> Distribution:
        raise NotImplementedError

    def cost(self, x: Tensor, params: Params) -> Tensor:
        raise NotImplementedError


class Clash(OfClass):
    more: ClassVar = ReplicatedModule(linear(3, 2))


def test_parameters_are_found_by_themselves() -> None:
    names = ["encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"]
    assert [*Autoencoder().initial_params()] == [*Autoencoder().module_params()] == names
    assert [*Scaled().initial_params()] == [*names, "log_scale"]
    assert [*OfClass().initial_params()] == ["weight", "bias", "other.weight", "other.bias"]
    made: Any = Autoencoder()
    start, own = made.initial_params()["encoder.weight"], made.encoder.module.weight
    assert start.dtype == torch.float64 and torch.equal(start.float(), own) and start is not own
    assert made.module_params()["encoder.weight"] is own
    with pytest.raises(ValueError, match=r"two modules have a parameter named weight: give each a prefix"):
        Clash().initial_params()


def test_modules_are_trained_in_place() -> None:
    """As a copy of the parameters is: the module itself holds the trained weights, whatever optimiser moved them."""
    problem: Any = Autoencoder().to("cpu", torch.float32)
    copies = {name: value.float().requires_grad_() for name, value in problem.initial_params().items()}
    modules = [problem.encoder.module, *(made.module for made in problem.others["decoder"])]
    own = problem.module_params()
    assert {id(value) for value in own.values()} == {id(value) for made in modules for value in made.parameters()}
    before = [value.clone() for value in own.values()]
    losses = []
    for params in (copies, own):
        estimator, source = make_estimator("score-function:control_variate=moving-average"), IID(0)
        optimiser = torch.optim.Adam([value for made in modules for value in made.parameters()], lr=0.02)
        if params is copies:
            optimiser = torch.optim.Adam(copies.values(), lr=0.02)
        for _ in range(30):
            optimiser.zero_grad()
            loss, estimator = estimator.step(problem, params, 16, source)
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[:30] == losses[30:] and losses[-1] < losses[0] / 2
    for name, value in own.items():
        torch.testing.assert_close(value, copies[name], rtol=0, atol=0)
        torch.testing.assert_close(problem.initial_params()[name], value.detach().double(), rtol=0, atol=0)
    assert all((one != value).any() for one, value in zip(before, own.values(), strict=True))
    output = problem.encoder.of_data(replicated(copies, 1), DATA)[0]
    torch.testing.assert_close(problem.encoder.module(DATA), output)


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.calls = linear(3, 2), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.net(x)


@pytest.mark.parametrize("replicates", [1, 4])
@pytest.mark.parametrize("spec", ["pathwise", "score-function:control_variate=taylor", "score-function"])
def test_what_q_and_the_cost_share_is_computed_once(
    spec: str, replicates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the gradient is that of computing it twice; `backward` and `torch.func.grad` have the same."""
    problem, estimator, counted = Autoencoder(), make_estimator(spec), Counted().double()
    problem.encoder = ReplicatedModule(counted, "encoder.")
    params = replicated(problem.initial_params(), replicates)
    noise = estimator.draw(problem, params, 3, IID(0, dtype=torch.float64))
    counted.calls = 0
    found = estimator.gradient(problem, params, noise)
    assert counted.calls == (3 if "taylor" in spec else 1)  # taylor differentiates the cost in x, twice
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    total = estimator.surrogate(problem, leaves, noise).sum()
    for name, wanted in zip(leaves, torch.autograd.grad(total, [*leaves.values()]), strict=True):
        torch.testing.assert_close(found[name], wanted)


class Masked(nn.Module):
    """A module with a buffer, which scales its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 1, dtype=torch.float64)
        self.mask = nn.Buffer(torch.ones(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.mask


def test_what_is_kept_follows_buffers_and_no_graph_is_shared_that_a_cost_frees() -> None:
    network = ReplicatedModule(Masked())
    params = replicated(network.initial_params(), 1)
    x = torch.ones(3, 1, 2, dtype=torch.float64)
    with computed_once():
        once_over = network.of_samples(params, x)
        network.module.mask.fill_(2.0)  # pyright: ignore
        torch.testing.assert_close(network.of_samples(params, x), 2 * once_over)
        moved = x.clone().requires_grad_()
        torch.autograd.grad(network.of_samples(params, moved).sum(), moved)  # the force of an energy
        network.of_samples(params, moved).sum().backward()
    assert moved.grad is not None


def test_what_is_kept_follows_the_tensors() -> None:
    calls: list[int] = []

    def asked(*tensors: Tensor) -> Any:
        def compute() -> Any:
            calls.append(1)
            return [one * 2 for one in tensors]

        return once(compute, ("double",), [*tensors])

    one, other = torch.ones(2), torch.ones(2, requires_grad=True)
    asked(one)
    asked(one)
    assert len(calls) == 2  # nothing is kept where nobody asked for it
    with computed_once():
        (first,), (second,) = asked(one), asked(one)
        assert len(calls) == 3 and torch.equal(first, second)
        second += 1  # a copy
        assert torch.equal(asked(one)[0], first) and len(calls) == 3
        first += 1  # no copy: computed anew
        assert torch.equal(asked(one)[0], 2 * one) and len(calls) == 4
        one += 1
        assert torch.equal(asked(one)[0], 2 * one) and len(calls) == 5
        asked(other)
        with torch.no_grad():
            asked(other)
        assert len(calls) == 7
        assert torch.equal(torch.func.grad(lambda x: asked(x)[0].sum())(other), 2 * torch.ones(2))
        assert torch.equal(asked(other)[0], 2 * other) and len(calls) == 8
    asked(other)
    assert len(calls) == 9
