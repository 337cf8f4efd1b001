"""A module among the parameters of a problem, one network for each replicate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map

from estimators.interface import Params, Part, meet, once
from estimators.modules.mapping import ALONE, IN_PROGRAM, MAPPED, Replacing, Table
from estimators.modules.refusals import CHANGES, NotMapped, explained

__all__ = ["ReplicatedModule"]


@final
@dataclass(frozen=True)
class ReplicatedModule(Part):
    """Any module that is a function of its parameters and inputs alone: without batch norm or dropout in training mode.

    Its parameters belong among those of the problem, named `prefix` + name, and do by themselves where it is an
    attribute of the problem: `Problem.initial_params`. The module's own are the starting point, and change only where
    they are trained: `module_params`.

    All that is called is `forward`, or another method of the module by its name. A module may return several tensors.
    In `run` of a program it is called like a module, with the parameters in front: `self.decoder(params, z)`.
    """

    module: nn.Module
    """It may be shared with other code: it is neither changed nor copied."""
    prefix: str = ""
    """What the names of its parameters begin with in the problem, like "encoder."; one for each module."""
    _calling: dict[str, nn.Module] = field(default_factory=dict, init=False, repr=False, compare=False)

    def initial_params(self) -> Params:
        """The module's parameters, copied, in float64, without the replicate axis."""
        return {name: value.detach().double().clone() for name, value in self.module_params().items()}

    def module_params(self) -> Params:
        """The module's parameters themselves, under their names in the problem: to train them trains the module."""
        return {f"{self.prefix}{name}": value for name, value in self.module.named_parameters()}

    def state(self) -> Params:
        """What `state_dict` of the module holds, under its names in the problem."""
        return {f"{self.prefix}{name}": value for name, value in self.module.state_dict(keep_vars=True).items()}

    def __call__(self, params: Params, *inputs: Any, method: str = "forward") -> Any:
        """The outputs for one sample, in `run` of a program: without axes of samples or replicates."""
        meet(self)
        own = {name: params[f"{self.prefix}{name}"] for name, _ in self.module.named_parameters()}
        return self._explained(lambda: self._calls(method, IN_PROGRAM)(own, *inputs))

    def of_samples(self, params: Params, x: Shaped[Tensor, "S R *X"], method: str = "forward") -> Any:
        """The outputs `[S, R, *Y]` for samples, those of each replicate through its own network."""
        return self._mapped(params, x, 1, method)

    def of_data(self, params: Params, data: Shaped[Tensor, "N *X"], method: str = "forward") -> Any:
        """The outputs `[R, N, *Y]` for data that all replicates share."""
        return self._mapped(params, data, None, method)

    def of_batches(self, params: Params, data: Shaped[Tensor, "R N *X"], method: str = "forward") -> Any:
        """The outputs `[R, N, *Y]` for data that each replicate has of its own; `[1, N, *X]` is shared by all."""
        return self.of_data(params, data[0], method) if len(data) == 1 else self._mapped(params, data, 0, method)

    def _mapped(self, params: Params, inputs: Tensor, axis: int | None, method: str) -> Any:
        """The outputs for inputs with a leading batch axis, over the replicates: those of a moment ago, or computed."""
        meet(self)
        own = {name: params[f"{self.prefix}{name}"] for name, _ in self.module.named_parameters()}
        several = len(next(iter(params.values()))) > 1

        def compute() -> Any:
            return self._computed(own, inputs, axis, method, several)

        if inputs.requires_grad:  # a cost may differentiate in them on its own, which frees what was computed
            return compute()
        modes = tuple(module.training for module in self.module.modules())
        what = (id(self.module), modes, method, axis, several)
        return once(compute, what, [inputs, *own.values(), *self.module.buffers()])

    def _computed(self, own: Params, inputs: Tensor, axis: int | None, method: str, several: bool) -> Any:
        call = self._calls(method, MAPPED if several else ALONE)

        def compute() -> Any:
            if several:
                return torch.func.vmap(call, in_dims=(0, axis), out_dims=axis or 0)(own, inputs)
            one = inputs if axis is None else inputs.squeeze(axis)
            found = call({name: value.squeeze(0) for name, value in own.items()}, one)
            return tree_map(lambda y: y.unsqueeze(axis or 0), found)

        return self._explained(compute)

    def _calls(self, method: str, table: Table) -> Callable[..., Any]:
        """The module as a function of its parameters and its inputs."""
        called, names = self._called(method), _names(self.module)

        def call(weights: Params, *inputs: Any) -> Any:
            some = next(iter(weights.values()), *inputs[:1])
            buffers = {
                name: value.to(some.device, some.dtype if value.is_floating_point() else value.dtype)
                for name, value in self.module.named_buffers()
            }
            versions = [value._version for value in buffers.values()]
            given = {**buffers, **weights}
            tensors = {f"module.{place}": given[name] for place, name in names.items()}
            with Replacing(table):
                found = functional_call(called, tensors, inputs, tie_weights=False)
            if versions != [value._version for value in buffers.values()]:
                raise NotMapped(CHANGES)
            return found

        return call

    def _explained(self, compute: Callable[[], Any]) -> Any:
        """ValueError: the module cannot be mapped, and what to do."""
        try:
            return compute()
        except (RuntimeError, ValueError) as error:
            raise explained(error, type(self.module).__name__) from error

    def _called(self, method: str) -> nn.Module:
        """A module that holds the module and calls its method; made once, since a compiler cannot make it."""
        if method not in self._calling:
            self._calling[method] = _Calling(self.module, method)
        return self._calling[method]


def _names(module: nn.Module) -> dict[str, str]:
    """The names that parameters and buffers have first, by their names in each part of the module.

    A part that the module holds twice counts once: `functional_call` would set its tensors twice, and what it finds
    there the second time it would take for those to put back.
    """
    own = {id(value): name for name, value in (*module.named_parameters(), *module.named_buffers())}
    parts = [(f"{path}." if path else "", part) for path, part in module.named_modules()]
    placed = ((prefix, {**part._parameters, **part._buffers}) for prefix, part in parts)
    return {
        f"{prefix}{name}": own[id(value)]
        for prefix, held in placed
        for name, value in held.items()
        if value is not None
    }


@final
class _Calling(nn.Module):
    """Calls a method of a module."""

    def __init__(self, module: nn.Module, method: str):
        super().__init__()
        self.module, self.method = module, method

    def forward(self, *inputs: Tensor) -> Any:
        return self.module(*inputs) if self.method == "forward" else getattr(self.module, self.method)(*inputs)
