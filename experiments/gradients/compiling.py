"""Gradients by torch.compile: how they are made, when that pays, and what happens where it fails."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor

from estimators.interface import Noise, Params
from estimators.noise import IID
from experiments.gradients.agreement import check_agreement
from experiments.gradients.float64 import gradient_in_float64
from experiments.gradients.replay import Recipe
from experiments.gradients.steps import Eager, Step

__all__ = ["Compile", "Compiled", "pays"]

Compile = bool | Literal["auto"]

BREAK_EVEN = 2**30
"""Element-samples (replicates × samples × event size): compiled, each takes 10 ns less, and compiling takes 10 s."""
MODES = {"cuda": "reduce-overhead"}
"""The mode of torch.compile by device: CUDA graphs, since launching kernels may take longer than running them."""


def pays(elements: float) -> bool:
    """Whether compiling saves more than it costs, over so many element-samples.

    A count decides and not a clock, since a compiled gradient differs in the last bits: same seed, same numbers.
    """
    return elements > BREAK_EVEN


@final
class Compiled(Step):
    """Tries, in order: noise and gradient compiled together; the gradient alone; eager, with a warning.

    A way is given up for good when it fails, or when the first estimates of a shape are not those of the eager
    gradient. It compiles when a shape is first met; torch keeps on disk what it compiled, for other cells of the same
    estimator, problem and shapes. Noise and estimates are the eager ones, but for rounding.
    """

    def __init__(self, eager: Eager, device: torch.device, dtype: torch.dtype):
        self.eager = eager
        self._ways = [_with_noise(eager, device, dtype), _without_noise(eager, device)]
        self._seen: set[int] = set()

    def __call__(self, params: Params, source: IID) -> Params:
        noise = None
        while self._ways:
            way, entered = self._ways[0], noise
            if noise is None:
                if not self._prepared(way, params):
                    continue
                entered = way.enters(params, source)
            try:
                return self._estimates(way, params, entered)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                self._give_up(error)
                noise = way.noise(params, entered)  # the source has moved on
        return self.eager(params, source) if noise is None else self.eager.gradient(params, noise)

    def _prepared(self, way: "_Way", params: Params) -> bool:
        try:
            way.prepare(params)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # one of the estimator's own is raised again when it draws for the next way
            self._give_up(error)
            return False
        return True

    def _estimates(self, way: "_Way", params: Params, entered: Any) -> Params:
        replicates = _replicates(params)
        if replicates in self._seen:
            return way.compiled(params, entered)
        with warnings.catch_warnings(action="ignore"):  # the compiler's own, about what it traces
            found = way.compiled(params, entered)
        noise = way.noise(params, entered)
        exact = partial(gradient_in_float64, self.eager.problem, self.eager.estimator, params, noise)
        check_agreement(found, self.eager.gradient(params, noise), exact)
        self._seen.add(replicates)
        return found

    def _give_up(self, error: Exception) -> None:
        del self._ways[0]
        self._seen.clear()
        if not self._ways:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"{self.eager.estimator.spec} could not be compiled and runs eagerly: {reason}", stacklevel=4)


class _Way(NamedTuple):
    """A compiled function, what enters it beside the parameters, and the noise that this stands for.

    `prepare` comes first, for parameters of each shape, and raises where this is no way for the estimator.
    """

    compiled: Callable[[Params, Any], Params]
    prepare: Callable[[Params], object]
    enters: Callable[[Params, IID], Any]
    noise: Callable[[Params, Any], Noise]


def _with_noise(eager: Eager, device: torch.device, dtype: torch.dtype) -> _Way:
    """Noise and gradient compiled together: the first half of the noise enters."""
    recipes: dict[int, Recipe] = {}

    def recipe(params: Params) -> Recipe:
        replicates = _replicates(params)
        if replicates not in recipes:
            recipes[replicates] = Recipe.of(eager, params, device, dtype)
        return recipes[replicates]

    def traced(params: Params, raw: list[Tensor]) -> Params:
        noise = recipes[_replicates(params)].noise(raw)
        return eager.estimator.gradient(eager.problem, params, noise)

    return _Way(
        _whole(traced, device),
        recipe,
        lambda params, source: recipe(params).raw(source),
        lambda params, raw: recipe(params).noise(raw),
    )


def _without_noise(eager: Eager, device: torch.device) -> _Way:
    def traced(params: Params, noise: Noise) -> Params:
        return eager.estimator.gradient(eager.problem, params, noise)

    return _Way(_whole(traced, device), lambda params: None, eager.noise, lambda params, noise: noise)


def _replicates(params: Params) -> int:
    return len(next(iter(params.values())))


def _whole(traced: Any, device: torch.device) -> Any:
    # A code object of its own: for each one torch keeps what it compiled, and limits how much.
    traced.__code__ = traced.__code__.replace()
    # A part that runs eagerly inside a compiled gradient makes it slower than either, and is an error here.
    return torch.compile(traced, fullgraph=True, dynamic=False, mode=MODES.get(device.type))
