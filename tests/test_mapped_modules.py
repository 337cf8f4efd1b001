"""Modules over replicates against a loop over them: outputs, and derivatives in weights and inputs, once and twice."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._C import _functorch  # pyright: ignore
from torch.func import functional_call
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from estimators.interface import Params, replicated
from estimators.modules import ReplicatedModule
from estimators.modules.convolution import Convolution
from estimators.modules.linear import Lookup, Product

REPLICATES = 3


class Applied(nn.Module):
    """A module and how it is called."""

    def __init__(self, module: nn.Module, call: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.module, self.call = module, call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.module, x)


def words(x: Tensor) -> Tensor:
    """Whole numbers from 0 to 4, of a tensor that has a derivative in nothing."""
    return (x.detach() * 7).long() % 5


class Inner(nn.Module):
    """The force of an energy: a derivative inside of the module."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.func.grad(lambda at: self.energy(at).sum())(x)


class Jacobian(Inner):
    def forward(self, x: Tensor) -> Tensor:
        return torch.func.vmap(torch.func.jacfwd(self.energy))(x) + torch.func.vmap(torch.func.jacrev(self.energy))(x)


class Tied(nn.Module):
    """One matrix, as it is, transposed, as a table, and made of another parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.linear(functional.linear(x, self.weight, self.scale).tanh(), self.weight.mT)
        return (
            y + functional.embedding(words(x[..., 0]) % 4, self.weight) + functional.linear(x, self.weight * self.scale)
        )


def own(module: nn.Module, call: Callable[[Any, Tensor], Tensor] | None = None, *shape: int) -> tuple[nn.Module, Any]:
    return (module if call is None else Applied(module, call)), shape


def transformer(**options: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, **options)


torch.manual_seed(0)
CAUSAL = torch.ones(5, 5, dtype=torch.bool).triu(1)
SMOOTH: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": own(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2, bias=False)), None, 5, 4),
    "vector": own(nn.Linear(4, 3), lambda net, x: torch.stack([net(row) for row in x.unbind(0)]), 2, 4),
    "tied": own(Tied(), None, 5, 4),
    "inner": own(Inner(), None, 5, 4),
    "jacobian": own(Jacobian(), None, 5, 4),
    "bilinear": own(nn.Linear(4, 4), lambda net, x: net(x) @ x.mT, 5, 4),
    "embedding": own(nn.Embedding(5, 3), lambda net, x: net(words(x)).tanh() * x.unsqueeze(-1), 2, 4),
    "padding": own(nn.Embedding(5, 3, padding_idx=-4), lambda net, x: net(words(x)).tanh(), 2, 4),
    "conv1d": own(nn.Conv1d(2, 3, 3, stride=2, padding=1), None, 2, 2, 6),
    "conv2d": own(
        nn.Sequential(nn.Conv2d(2, 4, 3, stride=2), nn.Tanh(), nn.Conv2d(4, 2, 2, groups=2)), None, 2, 2, 6, 5
    ),
    "conv2d-alone": own(nn.Conv2d(2, 3, 2, dilation=2), lambda net, x: net(x[0]), 2, 2, 5, 5),
    "conv2d-same": own(nn.Conv2d(1, 2, (2, 3), padding="same", padding_mode="reflect"), None, 2, 1, 4, 4),
    "conv2d-valid": own(nn.Conv2d(1, 2, (4, 3), padding="valid", bias=False), None, 2, 1, 5, 5),
    "conv3d": own(nn.Conv3d(1, 2, 2), None, 1, 1, 3, 3, 2),
    "deconv2d, more than a stride": own(nn.ConvTranspose2d(2, 3, 3, dilation=2, output_padding=1), None, 2, 2, 4, 4),
    "deconv1d": own(nn.ConvTranspose1d(2, 2, 3, groups=2), None, 2, 2, 3),
    "deconv2d": own(nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), None, 2, 2, 3, 3),
    "layer-norm": own(nn.LayerNorm(4), None, 5, 4),
    "group-norm": own(nn.GroupNorm(2, 4), None, 3, 4, 2),
    "batch-norm": own(nn.BatchNorm1d(4).eval(), None, 5, 4),
    "attention": own(nn.MultiheadAttention(4, 2), lambda net, x: net(x, x, x)[0], 5, 2, 4),
    "attention-masked": own(
        nn.MultiheadAttention(4, 2, batch_first=True, add_bias_kv=True, kdim=3, dropout=0.5).eval(),
        lambda net, x: net(x, x[..., :3], x, attn_mask=CAUSAL, need_weights=False)[0],
        2,
        5,
        4,
    ),
    "transformer": own(transformer(batch_first=True, norm_first=True), None, 2, 5, 4),
    "transformer-causal": own(transformer(), lambda net, x: net(x, src_mask=CAUSAL, is_causal=True), 5, 2, 4),
    "transformer-stack": own(nn.TransformerEncoder(transformer(batch_first=True), 2), None, 2, 5, 4),
    "gru": own(
        nn.GRU(4, 3, 2, bidirectional=True), lambda net, x: torch.cat([net(x)[0].sum(0), *net(x)[1]], -1), 5, 2, 4
    ),
    "gru-alone": own(nn.GRU(4, 3, bias=False, batch_first=True), lambda net, x: net(x)[0], 5, 4),
    "lstm": own(
        nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True),
        lambda net, x: torch.cat([net(x)[0].sum(1), *net(x)[1][0], *net(x)[1][1]], -1),
        2,
        5,
        4,
    ),
    "lstm-projected": own(nn.LSTM(4, 3, proj_size=2), lambda net, x: net(x)[0], 5, 2, 4),
    "rnn": own(nn.RNN(4, 3), lambda net, x: net(x, torch.ones_like(x[:1, :, :3]))[0], 5, 2, 4),
    "gru-cell": own(nn.GRUCell(4, 4), lambda net, x: net(x, net(x)), 2, 4),
    "lstm-cell": own(nn.LSTMCell(4, 4), lambda net, x: torch.cat(net(x, net(x)), -1), 2, 4),
    "rnn-cell": own(nn.RNNCell(4, 4, bias=False), lambda net, x: net(x, net(x)), 2, 4),
}
SHARP = {
    "rnn-relu": own(nn.RNN(4, 3, nonlinearity="relu"), lambda net, x: net(x)[0], 5, 2, 4),
    "relu-cell": own(nn.RNNCell(4, 4, nonlinearity="relu"), lambda net, x: net(x), 2, 4),
    "rrelu": own(nn.Sequential(nn.Linear(4, 3), nn.RReLU().eval()), None, 5, 4),
    "max-pool": own(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)), None, 2, 1, 4, 4),
}
ALL = SMOOTH | SHARP


OF_SAME = [("data", REPLICATES), ("batches", REPLICATES), ("samples", REPLICATES), ("batches", 1)]
OF_DIFFERENT = [("data", REPLICATES), ("samples", REPLICATES)]


def case(name: str, same: bool, replicates: int) -> tuple[ReplicatedModule, Params, Tensor]:
    """A module, parameters, and inputs `[R, *X]`."""
    module, shape = ALL[name]
    made = ReplicatedModule(module.double(), "net.")
    generator = torch.Generator().manual_seed(1)
    params = replicated(made.initial_params(), replicates)
    if not same:
        shifts = {name: torch.randn(value.shape, generator=generator).double() / 3 for name, value in params.items()}
        params = {name: value + shifts[name] for name, value in params.items()}
    params = {name: value.requires_grad_() for name, value in params.items()}
    return made, params, torch.randn(replicates, *shape, generator=generator).double().requires_grad_()


def run_together(made: ReplicatedModule, how: str, params: Params, x: Tensor) -> Tensor:
    if how == "samples":
        return made.of_samples(params, x.transpose(0, 1)).transpose(0, 1)
    return made.of_data(params, x[0]) if how == "data" else made.of_batches(params, x)


def one_by_one(made: ReplicatedModule, how: str, params: Params, x: Tensor) -> Tensor:
    rows = []
    for row in range(len(x)):
        own = {name.removeprefix("net."): value[row] for name, value in params.items()}
        with sdpa_kernel(SDPBackend.MATH):  # the other one cannot be differentiated twice
            rows.append(functional_call(made.module, own, (x[0 if how == "data" else row],)))
    return torch.stack(rows)


def slopes(y: Tensor, at: list[Tensor], twice: bool) -> list[Tensor]:
    """The derivatives of a function of the outputs, and those of a function of these derivatives."""
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    first = torch.autograd.grad((weights * y.tanh()).sum(), at, create_graph=twice, materialize_grads=True)
    if not twice:
        return [*first]
    total = sum((slope**2).sum() for slope in first if slope.requires_grad)
    return [*first, *torch.autograd.grad(total, at, materialize_grads=True)]  # pyright: ignore


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize("name", ALL)
def test_a_module_is_mapped_as_by_a_loop(name: str, same: bool) -> None:
    for how, replicates in OF_SAME if same else OF_DIFFERENT:
        made, params, x = case(name, same, replicates)
        found, wanted = (run(made, how, params, x) for run in (run_together, one_by_one))
        torch.testing.assert_close(found, wanted)
        at = [x, *params.values()]
        pairs = zip(slopes(found, at, name in SMOOTH), slopes(wanted, at, name in SMOOTH), strict=True)
        for one, other in pairs:
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["linear", "embedding", "conv2d", "gru", "transformer"])
def test_the_same_weights_are_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all replicates share is computed for all at once; it would be right, but slow, for each on its own."""
    batched: list[bool] = []
    for kind in (Product, Lookup, Convolution):
        monkeypatch.setattr(kind, "together", noting(kind.together, batched))
    for same in (True, False):
        batched.clear()
        made, params, x = case(name, same, REPLICATES)
        slopes(run_together(made, "batches", params, x), [x, *params.values()], True)
        assert batched and all(seen != same for seen in batched)


def noting(together: Callable[..., Tensor], batched: list[bool]) -> Callable[..., Tensor]:
    def noted(self: Any, x: Tensor, weight: Tensor) -> Tensor:
        batched.append(_functorch.is_batchedtensor(weight))
        return together(self, x, weight)

    return noted


def test_func_grad_of_the_same_weights() -> None:
    """Compiled gradients come by `torch.func.grad`, eager ones by `backward`."""
    made, params, x = case("conv2d", True, REPLICATES)
    distinct = {name: value.detach().clone() for name, value in params.items()}
    found = torch.func.grad(lambda at: made.of_batches(at, x).square().sum())(params)
    wanted = torch.autograd.grad(made.of_batches(params, x).square().sum(), [*params.values()])
    for one, other in zip(found.values(), wanted, strict=True):
        torch.testing.assert_close(one, other)
    jacobian = torch.func.jacrev(lambda at: made.of_batches(at, x).mean((1, 2, 3, 4)))(params)
    forwards = torch.func.jacfwd(lambda at: made.of_batches(at, x).mean((1, 2, 3, 4)))(distinct)
    for name, one in jacobian.items():
        torch.testing.assert_close(one, forwards[name])
        assert one.diagonal(dim1=0, dim2=1).abs().sum() > 0
        assert (one[0, 1:] == 0).all()
