"""A program from a function."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from estimators.interface.params import Params
from estimators.programs.contexts import ContextProgram
from estimators.programs.program import Program
from estimators.registry.registration import register_problem

__all__ = ["register_program"]

Run = Callable[..., Any]


def register_program(
    name: str,
    *,
    differentiable: bool = True,
    mapped: bool = True,
    contexts: Tensor | None = None,
    **params: Tensor | float,
) -> Callable[[Run], type[Program]]:
    """Function decorator: make a function `run(params, sample)` known as a problem that begins at given parameters.

        @register_program("banana", loc=torch.ones(2), log_scale=torch.zeros(2))
        def banana(params, sample):
            x = sample("x", Normal(params["loc"], params["log_scale"].exp()))
            return x[0] ** 2 + (x[1] - 0.5 * x[0] ** 2) ** 2

    `differentiable`, `mapped`: those of `Program`. With `contexts` `[N, C]` it is a `ContextProgram`, of a function
    `run(params, sample, context)`. What has options or data is a class that derives from `Program`.
    ValueError: there are no parameters.
    """
    if not params:
        raise ValueError(f'@register_program("{name}") needs the initial parameters, like loc=torch.zeros(2)')
    initial = {key: torch.as_tensor(value).detach().double() for key, value in params.items()}

    def decorate(function: Run) -> type[Program]:
        @wraps(function)
        def run(self: Program, params: Params, sample: Any, *context: Tensor) -> Any:
            return function(params, sample, *context)

        def initial_params(self: Program) -> Params:
            return {key: value.clone() for key, value in initial.items()}

        body = {"run": run, "initial_params": initial_params, "differentiable": differentiable, "mapped": mapped}
        named = {"__doc__": function.__doc__, "__module__": function.__module__, "__qualname__": function.__qualname__}
        base = Program if contexts is None else ContextProgram
        data = {} if contexts is None else {"contexts": torch.as_tensor(contexts).detach().double()}
        made: Any = type(function.__name__, (base,), body | named | data)
        return register_problem(name)(dataclass(frozen=True)(made))

    return decorate
