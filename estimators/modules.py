"""A torch.nn.Module as part of a problem: its parameters among the problem's, one network for each replicate."""

import re
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.func import functional_call

from estimators.interface import Params

__all__ = ["ReplicatedModule"]


@dataclass(frozen=True)
class ReplicatedModule:
    """Any module without state of its own that `torch.func.vmap` can map: no batch norm, no dropout, no GRU or LSTM.

    The parameters that `initial_params` gives belong among those of the problem, named `prefix` + name. The module's
    own parameters are the starting point and never change.
    """

    module: nn.Module
    prefix: str = ""

    def initial_params(self) -> Params:
        """The module's parameters, in float64, without the replicate axis."""
        start = self.module.named_parameters()
        return {f"{self.prefix}{name}": value.detach().double().clone() for name, value in start}

    def of_samples(self, params: Params, x: Shaped[Tensor, "S R *X"]) -> Shaped[Tensor, "S R *Y"]:
        """The outputs for samples, those of each replicate through its own network."""
        return self._mapped(params, x, 1)

    def of_data(self, params: Params, data: Shaped[Tensor, "N *X"]) -> Shaped[Tensor, "R N *Y"]:
        """The outputs for data that all replicates share."""
        return self._mapped(params, data, None)

    def of_batches(self, params: Params, data: Shaped[Tensor, "R N *X"]) -> Shaped[Tensor, "R N *Y"]:
        """The outputs for data that each replicate has of its own."""
        return self._mapped(params, data, 0)

    def _mapped(self, params: Params, inputs: Tensor, axis: int | None) -> Tensor:
        """The outputs for inputs with a leading batch axis, over the replicates.

        ValueError: the module cannot be mapped, and what to do.
        """
        own = {name: params[f"{self.prefix}{name}"] for name, _ in self.module.named_parameters()}
        some = next(iter(own.values()), inputs)
        buffers = {
            name: value.to(some.device, some.dtype if value.is_floating_point() else value.dtype)
            for name, value in self.module.named_buffers()
        }

        def call(weights: Params, inputs: Tensor) -> Tensor:
            return functional_call(self.module, {**buffers, **weights}, (inputs,))

        try:
            return torch.func.vmap(call, in_dims=(0, axis), out_dims=axis or 0)(own, inputs)
        except RuntimeError as error:
            raise _explained(error, type(self.module).__name__) from error


ADVICE = {
    "randomness": "it draws random numbers, as dropout does: call eval() on it, or make the noise a part of x",
    "running_mean": "batch norm keeps running statistics: use LayerNorm or GroupNorm, or call eval() on it",
    "data-dependent control flow": "it branches on the values of tensors: write torch.where",
    "item()": "it turns tensors into numbers: keep them tensors",
    "Batching rule not implemented": "{rule} has no batching rule: write its recurrence with nn.GRUCell or nn.Linear",
}
"""What to do, by words in what torch says of a module that cannot be mapped."""


def _explained(error: RuntimeError, module: str) -> Exception:
    """One line that says what to do where a module cannot be mapped over replicates; else the error itself."""
    text = str(error)
    rule = re.search(r"aten::(\w+)", text)
    for words, advice in ADVICE.items():
        if words in text:
            advice = advice.format(rule=rule[1] if rule else "an operation")
            return ValueError(f"{module} cannot be mapped over replicates by torch.func.vmap: {advice}")
    return error
