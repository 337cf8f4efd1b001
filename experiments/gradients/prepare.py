"""From a problem and an estimator to a workload: moved, checked, fitted."""

import time
from dataclasses import replace

import torch

from estimators.interface import Estimator, Params, Problem
from estimators.sampling.unchecked import without_validation
from experiments.gradients.compiling import Compile
from experiments.gradients.footprint import Footprint
from experiments.gradients.mini_batches import InBatches, first_batch, require_all_data
from experiments.gradients.problem_checks import check_batch, check_problem
from experiments.gradients.second_order import AlongDirection, direction_of, require_twice
from experiments.gradients.steps import Eager
from experiments.gradients.validation import check_estimator, check_parameters, check_size, whole_number
from experiments.gradients.workload import CHUNK_ELEMENTS, Workload
from experiments.machine.allocator import keep_freed_memory
from experiments.machine.synchronise import synchronise

__all__ = ["find_device", "prepare", "prepare_unlearned"]


def prepare(
    problem: Problem,
    estimator: Estimator,
    num_samples: int,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    compile: Compile = False,
    batch: int = 0,
    order: int = 1,
) -> Workload:
    """Move the problem, check that the estimator supports it, and let the estimator learn.

    With a `batch` each replicate has a mini-batch of so many data points. With `order=2` an estimate is the Hessian
    times a direction (`second_order.py`).

    Raises `Unsupported` with the estimator's reason, ValueError for a device or dtype that is not there, for initial
    parameters that the distribution refuses, and for what does not keep to the interface, TypeError for a fraction.
    """
    if not (isinstance(compile, bool) or compile == "auto"):
        raise ValueError(f"compile must be True, False or 'auto', not {compile!r}")
    if whole_number("order", order) not in (1, 2):
        raise ValueError(f"order must be 1, for gradients, or 2, for Hessians along a direction, not {order}")
    placed = _placed(problem, estimator, num_samples, seed, device, dtype)
    if order == 2:
        require_twice(placed.problem, estimator, placed.num_samples)
    moved, source = placed.problem, placed.source("fit")
    with without_validation():
        began = time.perf_counter()
        fitted = estimator.fit(moved, placed.params(1), placed.num_samples, source)
        synchronise(placed.device)
        taken = time.perf_counter() - began
        learned = fitted is not estimator
        check_estimator(moved, fitted, placed.num_samples, placed.point, fitted=learned)
    step = Eager(moved, fitted, placed.num_samples)
    ready = replace(placed, estimator=fitted, fitted=learned, step=step, compile=compile)
    ready = replace(ready, fit_seconds=taken) if learned else ready
    ready = _of_second_order(ready) if order == 2 else ready
    ready = _in_batches(ready, whole_number("batch", batch)) if batch else ready
    return ready.compiled if compile is True else ready


def prepare_unlearned(
    problem: Problem,
    estimator: Estimator,
    num_samples: int,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
) -> Workload:
    """A workload for training, where the estimator learns from the steps (`Estimator.update`); else as `prepare`."""
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
    estimator.require_support(moved, num_samples)
    step = Eager(moved, estimator, num_samples)
    found = _footprint(problem, point) if num_samples * _width(problem) <= CHUNK_ELEMENTS // 2 else Footprint()
    return Workload(moved, estimator, num_samples, seed, where, kind, point, False, step, footprint=found)


def _of_second_order(ready: Workload) -> Workload:
    """The same for the derivative of the estimates along a direction."""
    estimator = AlongDirection(ready.estimator, direction_of(ready.point))
    step = Eager(ready.problem, estimator, ready.num_samples)
    return replace(ready, estimator=estimator, step=step, order=2)


def _in_batches(whole: Workload, size: int) -> Workload:
    """The same on a mini-batch of so many data points for each replicate."""
    if size < 0:
        raise ValueError(f"batch must be at least 0, not {size}")
    require_all_data(whole.problem)
    check_batch(whole.problem, whole.point, size)
    estimator = InBatches(whole.estimator, size)
    step = Eager(whole.problem, estimator, whole.num_samples)
    found = Footprint.of(first_batch(whole.problem, size), whole.point).beside(8.0 * whole.problem.num_data)
    return replace(whole, estimator=estimator, step=step, footprint=found, batch=size, on_all_data=whole)


def _width(problem: Problem) -> int:
    return problem.initial_distribution.event_shape.numel()


def _footprint(problem: Problem, point: Params) -> Footprint:
    """The footprint of a problem, which it keeps: a chunk of more than one replicate may be too large."""
    known = vars(problem)
    if "footprint" not in known:
        with without_validation():
            known["footprint"] = Footprint.of(problem, point)
    return known["footprint"]


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
