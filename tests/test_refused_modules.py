"""Modules that are no function of their parameters and inputs: one line that says what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from estimators.interface import replicated
from estimators.modules import ReplicatedModule


class Own(nn.Module):
    """A module of a user's own."""

    def __init__(self, call: Callable[[Any, Tensor], Any], module: nn.Module | None = None) -> None:
        super().__init__()
        self.module, self.call = module or nn.Linear(4, 4), call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.module, x)


class Counting(nn.Module):
    """It counts its calls, or adds up its inputs."""

    total: Tensor

    def __init__(self, add: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros((), dtype=torch.float64))
        self.weight, self.add = nn.Parameter(torch.ones(())), add

    def forward(self, x: Tensor) -> Tensor:
        self.total += self.add(x)
        return x * self.weight


def packed(net: nn.Module, x: Tensor) -> Tensor:
    return net(nn.utils.rnn.pack_sequence([x]))[0].data


RANDOM = "it draws random numbers, as dropout does: call eval() on it, or make the noise a part of x"
STATE = "it keeps running statistics: use LayerNorm or GroupNorm, or call eval() on it"
CHANGES = "it changes a buffer as it runs: call eval() on it, or make the buffer a part of its inputs and outputs"
ANYWHERE: dict[str, tuple[str, nn.Module]] = {
    "dropout": (RANDOM, nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))),
    "alpha-dropout": (RANDOM, nn.Sequential(nn.Linear(4, 3), nn.AlphaDropout(0.5))),
    "rrelu": (RANDOM, nn.Sequential(nn.Linear(4, 3), nn.RReLU())),
    "lstm-dropout": (RANDOM, nn.LSTM(4, 3, num_layers=2, dropout=0.5)),
    "transformer": (RANDOM, nn.TransformerEncoderLayer(4, 2, 3)),
    "attention": (RANDOM, Own(lambda net, x: net(x, x, x)[0], nn.MultiheadAttention(4, 2, dropout=0.5))),
    "randn_like": (RANDOM, Own(lambda net, x: net(x) + torch.randn_like(x))),
    "normal_": (RANDOM, Own(lambda net, x: net(x) + torch.empty(4).normal_())),
    "sample": (RANDOM, Own(lambda net, x: torch.distributions.Normal(net(x), 1.0, validate_args=False).rsample())),
    "batch-norm": (STATE, nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))),
    "instance-norm": (
        STATE,
        Own(lambda net, x: net(x[None]), nn.InstanceNorm1d(4, 1e-5, 0.1, True, True)),
    ),
    "counting": (CHANGES, Counting(lambda x: 1)),
    "adding": (CHANGES, Counting(lambda x: x.detach().sum())),
}
MAPPED: dict[str, tuple[str, nn.Module]] = {
    "branch": (
        "it branches on the values of tensors: write torch.where",
        Own(lambda net, x: x if net(x).sum() > 0 else -x),
    ),
    "item": ("it turns tensors into numbers: keep them tensors", Own(lambda net, x: x * net(x).sum().item())),
    "packed": ("it takes a packed sequence: give it padded sequences", Own(packed, nn.GRU(4, 3))),
    "max_norm": (
        "its embedding changes its weights as it runs: leave out max_norm",
        Own(lambda net, x: net(x.long()), nn.Embedding(9, 2, max_norm=1.0)),
    ),
    "frequencies": (
        "its embedding scales its gradients: leave out scale_grad_by_freq",
        Own(lambda net, x: net(x.long()), nn.Embedding(9, 2, scale_grad_by_freq=True)),
    ),
    "shape": (
        "it has outputs whose shape depends on values: use operations whose shapes do not",
        Own(lambda net, x: torch.unique(net(x), dim=0)),
    ),
}


def refusal(module: nn.Module, replicates: int) -> str:
    made = ReplicatedModule(module.double(), "net.")
    params = replicated(made.initial_params(), replicates)
    with pytest.raises(ValueError) as told:
        made.of_data(params, torch.ones(4, 4, dtype=torch.float64))
    return str(told.value)


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("name", ANYWHERE)
def test_what_draws_or_remembers_is_refused(name: str, replicates: int) -> None:
    """For one replicate too, as in a training step: torch itself would draw there."""
    advice, module = ANYWHERE[name]
    before = torch.get_rng_state()
    assert refusal(module, replicates) == f"{type(module).__name__} cannot be mapped over replicates: {advice}"
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", MAPPED)
def test_what_cannot_be_mapped_is_refused(name: str) -> None:
    advice, module = MAPPED[name]
    assert refusal(module, 3) == f"{type(module).__name__} cannot be mapped over replicates: {advice}"


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("name", ["dropout", "alpha-dropout", "rrelu", "lstm-dropout", "transformer", "batch-norm"])
def test_eval_makes_a_module_a_function(name: str, replicates: int) -> None:
    _, module = ANYWHERE[name]
    try:
        made = ReplicatedModule(module.double().eval())
        found = made.of_data(replicated(made.initial_params(), replicates), torch.ones(4, 4, dtype=torch.float64))
    finally:
        module.train()
    assert (found[0] if isinstance(found, tuple) else found).shape[:2] == (replicates, 4)


def test_batch_norm_is_refused_where_it_sees_one_data_point() -> None:
    """Though it was told to eval()."""
    made = ReplicatedModule(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double().eval())
    params = {name: value[0] for name, value in replicated(made.initial_params(), 1).items()}
    with pytest.raises(ValueError, match="batch norm needs a batch, and a program sees one data point: use LayerNorm"):
        made(params, torch.ones(4, dtype=torch.float64))


def test_other_errors_of_a_module_stay_what_they_are() -> None:
    made = ReplicatedModule(nn.Linear(2, 3).double())
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        made.of_data(replicated(made.initial_params(), 2), torch.randn(4, 3, dtype=torch.float64))
