"""Measure one estimator on one problem: replicates in chunks until the figures are precise enough."""

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from estimators.interface import Estimator, Problem
from experiments import statistics
from experiments.compiling import Compile, pays
from experiments.evidence import evidence_bias
from experiments.measurement import Measurement, Signal, StopReason
from experiments.reference import Reference, find_reference
from experiments.rounding import rounding_shift
from experiments.sampling import Sampling
from experiments.statistics import GROUPS, Groups
from experiments.sweep.cell import Stop
from experiments.timing import ROUNDS, Timed, time_gradients
from experiments.validation import whole_number
from experiments.workload import Workload, prepare, without_validation

__all__ = ["estimate", "extend", "measure"]

FIRST_REPLICATES = 20_000
GROWTH = 1.5
ROUNDING_MARGIN = 2.0
ABOUT_CODE = (DeprecationWarning, FutureWarning, PendingDeprecationWarning)
"""Warnings that say nothing of the numbers."""
HEAVY_TAIL = 50
"""Replicates for each unit of kurtosis below which the variance interval is not trusted."""


def measure(
    problem: Problem,
    estimator: Estimator,
    num_samples: int = 1,
    *,
    replicates: int | None = None,
    rtol: float = 0.05,
    max_replicates: int = 10_000_000,
    max_seconds: float | None = 60.0,
    detect: bool = False,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    compile: Compile = False,
) -> Measurement:
    """Bias, variance and wall-clock time of a gradient estimator, with 95 % intervals.

    Replicates grow until the total variance is known to `rtol` (and with `detect` until a relative bias of 1 % would
    have been seen), or a budget ends it; `replicates` asks for a number instead. Then one gradient is timed. Same seed,
    same machine, same numbers (times apart).

    Raises `Unsupported` where the estimator cannot be used on the problem, ValueError for a device that is not there,
    TypeError for specs in place of a problem and an estimator, and for numbers that are not whole.
    """
    if not (isinstance(problem, Problem) and isinstance(estimator, Estimator)):
        raise TypeError("measure takes a Problem and an Estimator: make_problem(spec), make_estimator(spec)")
    replicates = None if replicates is None else whole_number("replicates", replicates)
    max_replicates = whole_number("max_replicates", max_replicates)
    workload = prepare(problem, estimator, num_samples, seed=seed, device=device, dtype=dtype, compile=compile)
    stop = Stop(replicates, rtol, max_replicates, max_seconds, detect)
    measurement = estimate(workload, find_reference(workload), stop)
    (timing,) = time_gradients([Timed.of(workload)], ROUNDS)
    return replace(measurement, timing=timing)


def estimate(workload: Workload, reference: Reference | None, stop: Stop) -> Measurement:
    """The statistics of a measurement, without its timing."""
    return extend(Sampling(workload, reference), stop)


def extend(sampling: Sampling, stop: Stop) -> Measurement:
    """The statistics after more replicates, if `stop` asks for more than there are; its seconds begin now."""
    began, compiled_before = time.monotonic(), not math.isnan(sampling.compile_seconds)
    with _collected_warnings() as caught:
        stop_reason = sampling.within_memory(partial(_sample, sampling, stop, began))
        assert sampling.groups is not None
        diagnostics = _diagnostics(sampling.workload) | evidence_bias(sampling.workload, sampling.groups)
    compiling = 0.0 if compiled_before or math.isnan(sampling.compile_seconds) else sampling.compile_seconds
    return _summary(sampling, stop_reason, diagnostics, caught, time.monotonic() - began - compiling)


def _sample(sampling: Sampling, stop: Stop, began: float) -> StopReason:
    limit, budget = _limit(sampling.workload, stop)
    goal = limit if stop.replicates else min(FIRST_REPLICATES, limit)
    wanted = limit if stop.replicates else 0
    while True:
        _compile(sampling, wanted)
        while sampling.replicates < goal:
            sampling.grow(limit - sampling.replicates)
            if stop.max_seconds is not None and time.monotonic() - began > stop.max_seconds:
                return "max_seconds"
        if sampling.nonfinite and not stop.replicates:
            return "nonfinite"
        if sampling.replicates >= limit:
            return budget
        if _precise(sampling, stop):
            return "precision"
        wanted = min(_wanted(sampling, stop), limit)
        goal = min(_round_up(math.ceil(GROWTH * sampling.replicates), sampling.block), limit)


def _compile(sampling: Sampling, wanted: int) -> None:
    """Where that was asked for, or may be chosen and pays over the replicates that are still wanted."""
    workload = sampling.workload
    if workload.is_compiled:
        if math.isnan(sampling.compile_seconds):
            sampling.compile()
    elif workload.compile == "auto" and pays((wanted - sampling.replicates) * workload.elements):
        sampling.compile()


def _limit(workload: Workload, stop: Stop) -> tuple[int, StopReason]:
    """The most replicates, and what sets them."""
    if stop.replicates:
        return _round_up(stop.replicates, GROUPS), "replicates"
    affordable = (stop.max_elements or math.inf) // workload.elements
    if affordable < stop.max_replicates:
        return max(int(affordable) // GROUPS, 1) * GROUPS, "max_elements"
    return _round_up(stop.max_replicates, GROUPS), "max_replicates"


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _wanted(sampling: Sampling, stop: Stop) -> int:
    """Replicates that the precision will take: the square of the factor by which an error has to fall."""
    width = _relative_half_width(sampling)
    return math.ceil(sampling.replicates * min(1e3, width / stop.rtol) ** 2)


def _relative_half_width(sampling: Sampling) -> float:
    assert sampling.groups is not None
    return statistics.relative_half_width(statistics.total_variance(sampling.groups, sampling.rounding_floor))


def _precise(sampling: Sampling, stop: Stop) -> bool:
    groups, reference = sampling.groups, sampling.reference
    assert groups is not None
    floor = sampling.rounding_floor
    if _relative_half_width(sampling) > stop.rtol:
        return False
    return not (stop.detect and reference is not None and statistics.undecided(groups, reference.groups, floor))


def _diagnostics(workload: Workload) -> dict[str, float]:
    with torch.no_grad(), without_validation():
        params = workload.params(workload.chunk)
        found = workload.estimator.diagnostics(workload.problem, params, workload.noise(0))
    return {name: float(value.double().mean()) for name, value in found.items()}


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for kind in ABOUT_CODE:
            warnings.simplefilter("ignore", kind)
        yield messages
    messages.extend(dict.fromkeys(str(warning.message) for warning in caught))


def _summary(
    sampling: Sampling, stop_reason: StopReason, diagnostics: dict[str, float], caught: list[str], seconds: float
) -> Measurement:
    workload, reference, groups = sampling.workload, sampling.reference, sampling.groups
    assert groups is not None
    floor = sampling.rounding_floor
    total_variance = statistics.total_variance(groups, floor)
    variance, low, high = statistics.parameter_variances(groups, floor)
    kurtosis = statistics.kurtosis(groups)
    against = None if reference is None else reference.groups
    test = None if against is None else _bias_test(sampling, against)
    named = workload.named
    return Measurement(
        estimator=workload.estimator.spec,
        problem=workload.problem.spec,
        num_samples=workload.num_samples,
        device=str(workload.device),
        dtype=str(workload.dtype).removeprefix("torch."),
        seed=workload.seed,
        claim=workload.estimator.claim(workload.problem, workload.num_samples),
        evaluations=workload.estimator.evaluations(workload.problem, workload.num_samples),
        fitted=workload.fitted,
        replicates=groups.replicates,
        stop_reason=stop_reason,
        nonfinite=sampling.nonfinite,
        mean=named(groups.overall_mean),
        variance=named(variance),
        variance_low=named(low),
        variance_high=named(high),
        total_variance=total_variance,
        kurtosis=kurtosis,
        snr=statistics.signal_to_noise(groups, floor),
        signals={name: _signal(groups.of(place), floor) for name, place in workload.places.items()},
        reference="none" if reference is None else reference.kind,
        reference_gradient=None if reference is None else named(reference.gradient),
        gradient_norm=None if reference is None else reference.norm,
        squared_bias=None if against is None else statistics.squared_bias(groups, against),
        mse=None if against is None else statistics.mean_squared_error(groups, against),
        cosine=None if sampling.direction is None else statistics.cosine(sampling.cosines / groups.count),
        verdict=None if test is None else test.verdict,
        p_value=None if test is None else test.p_value,
        detectable_bias=None if test is None else test.detectable,
        diagnostics=diagnostics,
        warnings=(*caught, *_warnings(sampling, total_variance, kurtosis)),
        statistics_seconds=seconds,
        compile_seconds=sampling.compile_seconds,
        groups=groups,
    )


def _signal(groups: Groups, floor: float) -> Signal:
    return Signal(statistics.total_variance(groups, floor), statistics.signal_to_noise(groups, floor))


def _bias_test(sampling: Sampling, against: np.ndarray) -> statistics.BiasTest:
    """Where costs nearly cancel, rounding moves a gradient by more than its own last bits: a bias, but of the dtype."""
    assert sampling.groups is not None
    test = statistics.bias_test(sampling.groups, against, sampling.rounding_floor)
    if test.verdict != "biased" or sampling.workload.dtype == torch.float64:
        return test
    shift = ROUNDING_MARGIN * rounding_shift(sampling.workload)
    return statistics.bias_test(sampling.groups, against, max(sampling.rounding_floor, shift))


def _warnings(sampling: Sampling, total_variance: statistics.Interval, kurtosis: float) -> list[str]:
    if sampling.nonfinite:
        return [f"{sampling.nonfinite:,} of {sampling.replicates:,} gradient estimates are not finite"]
    found = []
    width = statistics.relative_half_width(total_variance)
    if width > 0.25:
        found.append(f"the variance is known to {width:.0%} only: more replicates are needed")
    if kurtosis * HEAVY_TAIL > sampling.replicates:
        found.append(f"heavy tails (kurtosis about {kurtosis:.0f}): the variance may be larger than its interval says")
    return found
