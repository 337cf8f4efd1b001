"""Measure one estimator on one problem: replicates in chunks until the figures are precise enough."""

import math
import time
from dataclasses import replace
from functools import partial

import torch

from estimators.interface import Estimator, Problem
from experiments import statistics
from experiments.gradients.compiling import Compile, pays
from experiments.gradients.prepare import prepare
from experiments.gradients.validation import whole_number
from experiments.gradients.workload import Workload
from experiments.measuring.batch_share import with_batch_share
from experiments.measuring.caught import collected_warnings
from experiments.measuring.clock import Clock
from experiments.measuring.evidence import evidence_bias
from experiments.measuring.find_reference import find_reference
from experiments.measuring.long_run import LONGEST
from experiments.measuring.measurement import Measurement, StopReason
from experiments.measuring.moments import Sampling
from experiments.measuring.pace import begin
from experiments.measuring.purse import Purse
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.stop import SPARE, Stop
from experiments.measuring.summary import diagnostics_of, summarised
from experiments.statistics import GROUPS
from experiments.terminal.telling import Tell, untold
from experiments.timing.rounds import ROUNDS, Timed, time_gradients

__all__ = ["estimate", "extend", "measure", "timed"]

GROWTH = 1.5


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
    batch: int = 0,
    order: int = 1,
) -> Measurement:
    """Bias, variance and wall-clock time of a gradient estimator, with 95 % intervals.

    Replicates grow until the total variance is known to `rtol` (and with `detect` until a relative bias of 1 % would
    have been seen), or a budget ends it; `replicates` asks for a number instead. Then one gradient is timed. Where the
    reference gradient has to be measured, that takes at most `max_seconds` too.

    With a `batch` each replicate has a mini-batch of so many data points: the variance is what a training sees, and
    `batch_share` the part of it that is the choice of the batch.

    With `order=2` estimates of second derivatives take the place of gradients: the Hessian times one direction of norm
    1, drawn once for all problems with parameters of these names and shapes, so that every entry of the Hessian takes
    part (on average over directions, P times the total variance is that of all P² entries). The reference is exact, or
    there is none. Surrogates that are right in first order alone are refused.

    Same seed, same machine, same numbers (times apart), unless gradients take so long that the clock decides how many
    are taken at a time (a simulator, a loop in NumPy): `pace.begin`.

    Raises `Unsupported` where the estimator cannot be used on the problem, ValueError for a device that is not there,
    TypeError for specs in place of a problem and an estimator, and for numbers that are not whole.
    """
    if not (isinstance(problem, Problem) and isinstance(estimator, Estimator)):
        raise TypeError("measure takes a Problem and an Estimator: make_problem(spec), make_estimator(spec)")
    replicates = None if replicates is None else whole_number("replicates", replicates)
    max_replicates = whole_number("max_replicates", max_replicates)
    place = {"device": device, "dtype": dtype, "compile": compile}
    workload = prepare(problem, estimator, num_samples, seed=seed, batch=batch, order=order, **place)
    stop = Stop(replicates, rtol, max_replicates, max_seconds, detect)
    seconds = LONGEST if max_seconds is None else min(max_seconds, LONGEST)
    measurement = estimate(workload, find_reference(workload, seconds=seconds), stop)
    return timed(workload, with_batch_share(measurement, workload))


def timed(workload: Workload, measurement: Measurement) -> Measurement:
    """The same measurement with the times of its gradients, which take a part of its own seconds."""
    (timing,) = time_gradients([Timed.of(workload, measurement.statistics_seconds)], ROUNDS)
    return replace(measurement, timing=timing)


def estimate(
    workload: Workload, reference: Reference | NoReference | None, stop: Stop, tell: Tell = untold
) -> Measurement:
    """The statistics of a measurement, without its timing."""
    return extend(Sampling(workload, reference), stop, tell)


def extend(sampling: Sampling, stop: Stop, tell: Tell = untold, purse: Purse | None = None) -> Measurement:
    """The statistics after more replicates, if `stop` asks for more than there are; its seconds begin now.

    `tell` is told after each block how many replicates there are. `purse` is what the test of the score may take; by
    default as long as the measurement.
    """
    began, compiled_before = time.monotonic(), not math.isnan(sampling.compile_seconds)
    tell("the first replicates", math.inf)
    with collected_warnings() as caught:
        stop_reason = sampling.within_memory(partial(_sampled, sampling, stop, Clock(began, stop.max_seconds, tell)))
        assert sampling.groups is not None
        diagnostics = diagnostics_of(sampling.workload) | evidence_bias(sampling.workload, sampling.groups)
    tell("summing up", math.inf)
    if purse is None and stop.max_seconds is not None:
        purse = Purse(stop.max_seconds)
    compiling = 0.0 if compiled_before or math.isnan(sampling.compile_seconds) else sampling.compile_seconds
    return summarised(sampling, stop_reason, diagnostics, caught, time.monotonic() - began - compiling, purse)


def _sampled(sampling: Sampling, stop: Stop, clock: Clock) -> StopReason:
    reason = _sample(sampling, stop, clock)
    if stop.settle_elements is None or reason in ("nonfinite", "max_seconds", "replicates"):
        return reason
    failure = _settle(sampling, stop.settle_elements // sampling.workload.elements, clock)
    return failure or ("precision" if _precise(sampling, stop) else reason)


def _settle(sampling: Sampling, most: int, clock: Clock) -> StopReason | None:
    """Go on until a bias of 1 % would have been seen, if at most so many replicates are forecast to be enough."""
    while 1 < (shortage := _shortage(sampling)) <= most / sampling.replicates / SPARE:
        goal = _round_up(math.ceil(SPARE * shortage * sampling.replicates), GROUPS)
        _compile(sampling, goal)
        while sampling.replicates < goal:
            if clock.is_over(sampling.replicates):
                return "max_seconds"
            sampling.grow(goal - sampling.replicates)
            clock.told(sampling.replicates, goal)
    return "nonfinite" if sampling.nonfinite else None


def _sample(sampling: Sampling, stop: Stop, clock: Clock) -> StopReason:
    limit, budget = _limit(sampling.workload, stop)
    goal = 0 if sampling.replicates else begin(sampling, limit, stop)
    goal = limit if stop.replicates else goal
    wanted = limit if stop.replicates else 0
    while True:
        _compile(sampling, wanted)
        while sampling.replicates < goal:
            if clock.is_over(sampling.replicates):
                return "max_seconds"
            sampling.grow(limit - sampling.replicates)
            clock.told(sampling.replicates, min(wanted or goal, limit))
        if sampling.nonfinite and not stop.replicates:
            return "nonfinite"
        if sampling.replicates >= limit:
            return budget
        if _precise(sampling, stop):
            return "precision"
        if clock.is_over(sampling.replicates):
            return "max_seconds"
        wanted = min(_wanted(sampling, stop), limit)
        goal = min(_round_up(math.ceil(GROWTH * sampling.replicates), sampling.block), limit)


def _compile(sampling: Sampling, wanted: int) -> None:
    """Compile where that was asked for, or where it pays over the replicates that are still wanted."""
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
    return statistics.relative_half_width(sampling.total_variance)


def _precise(sampling: Sampling, stop: Stop) -> bool:
    return _relative_half_width(sampling) <= stop.rtol and not (stop.detect and _shortage(sampling) > 1)


def _shortage(sampling: Sampling) -> float:
    """The factor of replicates with which a bias of 1 % would have been seen; 0 where there is no reference."""
    if sampling.reference is None:
        return 0.0
    of = sampling.moments.groups, sampling.reference.groups, sampling.rounding_floor, sampling.parts
    return statistics.shortage(*of)
