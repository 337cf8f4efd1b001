"""What a program says of its state before each variable."""

import torch
from torch import Tensor

from estimators.interface.params import Params
from estimators.programs.program import Program
from estimators.programs.runs import given
from estimators.programs.visits import Trace

__all__ = ["states"]


@torch.no_grad()
def states(program: Program, params: Params, x: Tensor) -> tuple[Tensor, ...]:
    """The state before each variable, at joint values: `[S, *B, F]`, without derivatives."""
    at = {name: value.detach() for name, value in params.items()}

    def collect(trace: Trace) -> tuple[Tensor, ...]:
        return tuple(visit.features(x.new_zeros(())) for visit in trace.visits)

    own = [(x,)] if program.layout.alone else program.layout.values(x)
    return program.runs(at, [given] * len(own), own, collect)
