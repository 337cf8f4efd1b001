"""Gradient estimates of one estimator on one problem, in chunks: what is measured and what is timed."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Estimator, Noise, Params, Problem, derivative, replicated
from estimators.noise import IID, derive_seed
from experiments.allocator import keep_freed_memory
from experiments.bulk import iid
from experiments.validation import check_estimator, check_parameters, check_problem, check_size, whole_number

__all__ = ["Workload", "find_device", "flatten", "prepare", "prepare_unlearned", "without_validation"]

CHUNK_ELEMENTS = 2**18
"""Element-samples (replicates × samples × event size) in a chunk: the fastest size measured on CPUs."""


@dataclass(frozen=True)
class Workload:
    """An estimator, fitted where it learns, on a problem at its initial parameters."""

    problem: Problem
    estimator: Estimator
    num_samples: int
    seed: int
    device: torch.device
    dtype: torch.dtype
    point: Params
    """The parameters, without the replicate axis."""
    fitted: bool
    """The estimator learned from noise of its own first: results are conditional on that fit."""
    gradient: Callable[[Params, Noise], Params]

    @cached_property
    def elements(self) -> int:
        """Samples × event size of one replicate."""
        return self.num_samples * self.problem.initial_distribution.event_shape.numel()

    @cached_property
    def chunk(self) -> int:
        """Replicates in a chunk: a power of two that depends on the problem and num_samples alone."""
        return 1 << max(CHUNK_ELEMENTS // self.elements, 1).bit_length() - 1

    @cached_property
    def size(self) -> int:
        """P, the number of parameter entries."""
        return sum(value.numel() for value in self.point.values())

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where the entries of each parameter lie among the P."""
        ends = itertools.accumulate(value.numel() for value in self.point.values())
        return {name: slice(end - self.point[name].numel(), end) for name, end in zip(self.point, ends, strict=True)}

    def named(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """`[P]` as one array for each parameter, of its shape."""
        return {name: flat[place].reshape(self.point[name].shape) for name, place in self.places.items()}

    def params(self, replicates: int) -> Params:
        return replicated(self.point, replicates)

    def source(self, *purpose: object) -> IID:
        """A noise stream that depends on the seed, problem, num_samples and purpose, and not on the estimator."""
        seed = derive_seed(self.seed, self.problem.spec, self.num_samples, *purpose)
        return iid(seed, self.device, self.dtype)

    def draw(self, source: IID, replicates: int) -> Noise:
        with torch.no_grad():
            return self.estimator.draw(self.problem, self.params(replicates), self.num_samples, source)

    def noise(self, index: int) -> Noise:
        """The noise of a chunk, always drawn in full."""
        return self.draw(self.source("chunk", index), self.chunk)

    def gradients(self, index: int) -> Tensor:
        """The gradient estimates of a chunk, `[chunk, P]`."""
        with without_validation():
            return flatten(self.gradient(self.params(self.chunk), self.noise(index)))


def flatten(params: Params) -> Tensor:
    """Parameters `[R, *shape]` as one matrix `[R, P]`, in the order of the dictionary."""
    return torch.cat([value.reshape(len(value), -1) for value in params.values()], dim=1)


@contextmanager
def without_validation() -> Iterator[None]:
    """torch.distributions without argument checks, which cost more than the sampling and stop compilation."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


def prepare(
    problem: Problem,
    estimator: Estimator,
    num_samples: int,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    compile: bool = False,
) -> Workload:
    """Move the problem, check that the estimator supports it, and let the estimator learn.

    Raises `Unsupported` with the estimator's reason, ValueError for a device or dtype that is not there, for initial
    parameters that the distribution refuses, and for what does not keep to the interface, TypeError for a fraction.
    """
    placed = _placed(problem, estimator, num_samples, seed, device, dtype)
    moved, source = placed.problem, placed.source("fit")
    with without_validation():
        fitted = estimator.fit(moved, placed.params(1), placed.num_samples, source)
        learned = fitted is not estimator
        check_estimator(moved, fitted, placed.num_samples, placed.point, fitted=learned)
        # The compiler of torch turns argument checks off for good when it is first loaded.
        gradient = _compiled(moved, fitted) if compile else _eager(moved, fitted)
    return replace(placed, estimator=fitted, fitted=learned, gradient=gradient)


def prepare_unlearned(
    problem: Problem,
    estimator: Estimator,
    num_samples: int,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
) -> Workload:
    """As `prepare`, for training, where the estimator learns from the steps (`Estimator.update`)."""
    placed = _placed(problem, estimator, num_samples, seed, device, dtype)
    with without_validation():
        check_estimator(placed.problem, estimator, placed.num_samples, placed.point, fitted=False)
    return placed


def _placed(
    problem: Problem,
    estimator: Estimator,
    num_samples: int,
    seed: int,
    device: str | torch.device,
    dtype: str | torch.dtype,
) -> Workload:
    keep_freed_memory()
    where, kind = find_device(device), _dtype(dtype)
    num_samples, seed = whole_number("num_samples", num_samples), whole_number("seed", seed)
    point = {name: value.detach().to(where, kind) for name, value in check_parameters(problem).items()}
    moved = problem.to(where, kind)
    check_problem(moved, point)
    check_size(moved, num_samples)
    estimator.require_support(problem, num_samples)
    return Workload(moved, estimator, num_samples, seed, where, kind, point, False, _eager(moved, estimator))


def _eager(problem: Problem, estimator: Estimator) -> Callable[[Params, Noise], Params]:
    """By `backward`, as a training step does: `torch.func.grad` gives the same, in twice the time at R = 1."""

    def gradient(params: Params, noise: Noise) -> Params:
        point = {name: value.detach().requires_grad_() for name, value in params.items()}
        return derivative(estimator.surrogate(problem, point, noise).sum(), point)

    return gradient


def _compiled(problem: Problem, estimator: Estimator) -> Callable[[Params, Noise], Params]:
    """The compiled gradient; a warning and the eager one from the first failure on."""
    eager = _eager(problem, estimator)
    torch._dynamo.reset()  # a recompile limit reached by other cells would fall back to eager in silence
    traced = partial(estimator.gradient, problem)
    current: list[Callable[..., Params]] = [torch.compile(traced, dynamic=False)]

    def gradient(params: Params, noise: Noise) -> Params:
        try:
            return current[0](params, noise)
        except Exception as error:
            if current[0] is eager:
                raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"{estimator.spec} could not be compiled and runs eagerly: {reason}", stacklevel=2)
            current[0] = eager
            return eager(params, noise)

    return gradient


def find_device(name: str | torch.device) -> torch.device:
    """ValueError: it is not available here."""
    try:
        device = torch.device(name)
        float(torch.ones(1, device=device))
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        available = ["cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        raise ValueError(f"device '{name}' is not available here; available: {', '.join(available)}") from None
    return device


def _dtype(name: str | torch.dtype) -> torch.dtype:
    known = {"float32": torch.float32, "float64": torch.float64}
    text = str(name).removeprefix("torch.")
    if text not in known:
        raise ValueError(f"dtype must be float32 or float64, not '{text}'")
    return known[text]
