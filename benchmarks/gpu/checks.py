"""What has to hold on a device, without pytest. The tests call these functions too.

A check returns what it has seen, in a few words. It raises AssertionError where something does not hold.
"""

import gc
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from benchmarks.cases import CASES, NUM_SAMPLES, home
from estimators.interface import Params
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments import Train, measure, train
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.memory import peak_memory
from experiments.timing.rounds import Timed, device_name, time_gradients

__all__ = ["CHECKS", "NEEDS_CUDA", "SCATTERED", "check_shapes", "scattered"]

LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
QUADRATIC = "gaussian-quadratic:dim=2"
SCATTERED = 7
"""Replicates of `scattered`. No other axis of any noise is that long, or a multiple of it (R·N, where replicates have N
costs each)."""
MEASURED = [
    (QUADRATIC, "pathwise"),
    (QUADRATIC, LEAVE_ONE_OUT),
    ("bernoulli-toy:dim=3", "disarm"),
    ("categorical-toy:dim=2", LEAVE_ONE_OUT),
    ("gamma-cost:dim=2", "pathwise"),
    ("poisson-quadratic:dim=1", LEAVE_ONE_OUT),
]
REPLICATES = 20_032
STANDARD_ERRORS = 5.0


def scattered(work: Workload) -> Params:
    """Parameters `[R, *shape]` that differ between the replicates."""
    generator = torch.Generator().manual_seed(1)

    def scatter(value: Tensor) -> Tensor:
        shift = torch.randn(SCATTERED, *value.shape, generator=generator, dtype=torch.float64)
        return value + 0.1 * shift.to(value)

    return {name: scatter(value) for name, value in work.point.items()}


def check_shapes(work: Workload, device: str) -> None:
    """What an estimator makes has the shape, the dtype and the device that it owes."""
    params = {name: value.requires_grad_() for name, value in scattered(work).items()}
    source = IID(3, work.device, work.dtype)
    noise = work.estimator.draw(work.problem, params, work.num_samples, source)
    assert not any(leaf.requires_grad for leaf in tree_leaves(noise)), "noise must be detached"
    surrogate = work.estimator.surrogate(work.problem, params, noise)
    diagnostics = work.estimator.diagnostics(work.problem, params, noise)
    for value in (surrogate, *diagnostics.values()):
        assert (value.shape, value.dtype, value.device.type) == ((SCATTERED,), work.dtype, device)
    for name, value in work.estimator.gradient(work.problem, params, noise).items():
        assert (value.shape, value.dtype, value.device.type) == (params[name].shape, work.dtype, device)
        assert value.isfinite().all()


def shapes(device: str, quick: bool) -> str:
    """Every estimator, on the first problem that it supports, in both dtypes."""
    left_out, wrong = 0, []
    chosen = list(CASES)[:: 16 if quick else 1]
    for spec in chosen:
        for dtype in ("float32", "float64"):
            try:
                made = make_problem(home(spec)), make_estimator(spec), NUM_SAMPLES
                check_shapes(prepare(*made, device=device, dtype=dtype), device)
            except ModuleNotFoundError:  # the images of a problem
                left_out += 1
            except Exception as error:
                wrong.append(f"{spec} in {dtype}: {type(error).__name__} {str(error).splitlines()[:1]}")
    assert not wrong, "; ".join(wrong)
    return f"{len(chosen)} estimators{f', {left_out // 2} left out' if left_out else ''}"


def moments(device: str, quick: bool) -> str:
    """Means are the exact gradients, and variances those of the CPU, with noise of another generator."""
    for problem, estimator in MEASURED[:: 3 if quick else 1]:
        made = make_problem(problem), make_estimator(estimator), 4
        there, here = (
            measure(*made, replicates=REPLICATES, seed=seed, device=where) for seed, where in ((1, device), (2, "cpu"))
        )
        name = f"{estimator} on {problem}"
        assert there.verdict != "biased", f"{name} is biased"
        error = sum((one.total_variance.high - one.total_variance.low) ** 2 for one in (there, here)) ** 0.5 / 4
        off = abs(there.total_variance.value - here.total_variance.value) / error
        assert off < STANDARD_ERRORS, f"{name}: the variance is {off:.1f} standard errors from that of the CPU"
    return f"{len(MEASURED[:: 3 if quick else 1])} measurements"


def same_numbers(device: str, quick: bool) -> str:
    """Same seed, same gradients; another seed, others."""
    made = make_problem(QUADRATIC), make_estimator(LEAVE_ONE_OUT), 4
    one, two, other = (prepare(*made, seed=seed, device=device) for seed in (1, 1, 2))
    assert torch.equal(one.gradients(0), two.gradients(0)), "same seed, other gradients"
    assert not torch.equal(one.gradients(0), other.gradients(0)), "another seed, the same gradients"
    assert not torch.equal(one.gradients(0), one.gradients(1)), "another chunk, the same gradients"
    return "in bits"


def compiled(device: str, quick: bool) -> str:
    """Compiled gradients are the eager ones. On CUDA the third chunk replays a graph."""
    for estimator in (LEAVE_ONE_OUT,) if quick else ("pathwise", LEAVE_ONE_OUT):
        made = make_problem(QUADRATIC), make_estimator(estimator), 4
        eager, other = (prepare(*made, device=device, compile=compile) for compile in (False, True))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            for index in range(3):
                _assert_same(other.gradients(index), eager.gradients(index))
        gave_up = [str(warning.message) for warning in caught if "could not be compiled" in str(warning.message)]
        assert not gave_up, gave_up[0]
    return "three chunks"


def _assert_same(found: Tensor, expected: Tensor) -> None:
    """Within rounding, which is that of the terms of an estimate, that may be much larger than their sum."""
    apart, size = (found - expected).abs().sum(0), expected.abs().sum(0)
    assert (apart <= 1e-5 * size).all(), f"off by {float((apart / size).max()):.1g} of the size of the estimates"


def training(device: str, quick: bool) -> str:
    """Training lowers the objective."""
    steps = 50 if quick else 200
    settings = Train(learning_rate=0.05, steps=steps, record=steps, seeds=4)
    found = train(make_problem(QUADRATIC), make_estimator("pathwise"), 4, settings, device=device)
    (first, *_), last = (row["value"] for row in found.curves if row["quantity"] == "objective"), found.objective
    assert last.high < first, f"the objective went from {first:.3g} to {last.value:.3g}"
    return f"from {first:.3g} to {last.value:.3g}"


def waited_for(device: str, quick: bool) -> str:
    """Times are those of the device: its kernels take some of them, and it is waited for."""
    work = prepare(make_problem("gaussian-quadratic:dim=4"), make_estimator("pathwise"), 64, device=device)
    (found,) = time_gradients([Timed.of(work)], rounds=3)
    assert (found.latency > 0).all() and found.peak_memory_bytes
    assert 0 < found.kernel_seconds < found.seconds_per_gradient.value
    assert found.device_name == device_name(work.device) == torch.cuda.get_device_name()
    return f"kernels {found.kernel_seconds:.2g} s of {found.seconds_per_gradient.value:.2g} s"


def memory(device: str, quick: bool) -> str:
    """The most memory that a function holds is counted."""
    size = 2**22
    found = peak_memory(lambda: torch.ones(size, device=device) + 1, torch.device(device))
    assert 2 * 4 * size <= found <= 2.5 * 4 * size, f"{found:,} bytes where two tensors have {8 * size:,}"
    return f"{found:,} bytes"


def short_of_memory(device: str, quick: bool) -> str:
    """A chunk that does not fit into the memory is halved, and the numbers stay right."""
    gc.collect()
    torch.cuda.empty_cache()
    made = make_problem("gaussian-quadratic:dim=1000"), make_estimator("pathwise"), 16
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(device) + 2**24) / total)
    try:
        found = measure(*made, replicates=128, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("fit into the memory" in text for text in found.warnings), "16 MB were enough"
    assert found.reference_gradient is not None
    z = np.abs(np.concatenate([(found.mean[name] - found.reference_gradient[name]).ravel() for name in found.mean]))
    z /= np.sqrt(np.concatenate([found.variance[name].ravel() for name in found.mean]) / found.replicates)
    assert z.max() < STANDARD_ERRORS + 1, f"the mean is {z.max():.1f} standard errors from the gradient"
    return "halved"


CHECKS: dict[str, Callable[[str, bool], str]] = {
    "same numbers": same_numbers,
    "moments": moments,
    "shapes, dtypes, device": shapes,
    "training": training,
    "memory": memory,
    "compiled gradients": compiled,
    "times": waited_for,
    "short of memory": short_of_memory,
}
NEEDS_CUDA = {"times", "short of memory", "fused Philox kernel"}
"""The checks of what only CUDA has."""
