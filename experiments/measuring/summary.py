"""From group moments to a measurement: figures, tests and warnings."""

import math

import numpy as np
import torch

from estimators.sampling.unchecked import without_validation
from experiments import statistics
from experiments.gradients.workload import Workload
from experiments.measuring.edges import lost_samples
from experiments.measuring.mean_score import wrong_score
from experiments.measuring.measurement import DISPUTED_REFERENCE, Measurement, Signal, StopReason
from experiments.measuring.moments import Sampling
from experiments.measuring.purse import Purse
from experiments.measuring.rounding import rounding_shift
from experiments.measuring.scale import size_of_terms
from experiments.statistics import Groups, Interval
from experiments.terminal.numbers import percent

__all__ = ["KNOWN_TO", "diagnostics_of", "summarised"]

ROUNDING_MARGIN = 2.0


WITHIN_ROUNDING = "bias_within_rounding"
"""The diagnostic that holds a bias, relative to the gradient, that the allowance for rounding hides."""
REFERENCE_ERROR = "reference_error"
"""The one that holds the standard error of a measured gradient along itself, where it hides a bias of 1 %."""
POWER = 6.0
"""Standard errors that a bias has to have to be seen 99 times in 100."""


KNOWN_TO = "the measured reference is known to"
"""What the warning about it begins with, which all have who are held against it."""
HARDLY = 10.0
"""The relative half-width from which on a variance is hardly known."""
HEAVY_TAIL = 0.7
"""Pareto k of the squared norms from which a mean of them, and so a variance, is not to be relied upon (Vehtari et al.
2024). A kurtosis would itself be too small where tails are heavy."""


def diagnostics_of(workload: Workload) -> dict[str, float]:
    with torch.no_grad(), without_validation():
        params = workload.params(workload.chunk)
        found = workload.estimator.diagnostics(workload.problem, params, workload.noise(0))
    return {name: float(value.double().mean()) for name, value in found.items()}


def summarised(
    sampling: Sampling,
    stop_reason: StopReason,
    diagnostics: dict[str, float],
    caught: list[str],
    seconds: float,
    purse: Purse | None = None,
) -> Measurement:
    """The figures of what was sampled in some seconds; `purse` is what the test of the score may take."""
    workload, reference, groups = sampling.workload, sampling.reference, sampling.groups
    assert groups is not None
    floor = sampling.rounding_floor
    parts, floors = [groups.of(place) for place in sampling.parts], [floor[place] for place in sampling.parts]
    found = [statistics.parameter_variances(part, own) for part, own in zip(parts, floors, strict=True)]
    variance, low, high = (np.concatenate(each) for each in zip(*found, strict=True))
    groups.gather(parts)
    total_variance = sampling.total_variance
    kurtosis = statistics.kurtosis(groups)
    against = None if reference is None else reference.groups
    test, limits = (None, {}) if against is None else _bias_test(sampling, against)
    lies = statistics.Alignment() if against is None else statistics.alignment(groups, against)
    named = workload.named
    doubt = _doubt(sampling, test, purse)
    return Measurement(
        estimator=workload.estimator.spec,
        problem=workload.problem.spec,
        num_samples=workload.num_samples,
        device=str(workload.device),
        dtype=str(workload.dtype).removeprefix("torch."),
        seed=workload.seed,
        target=workload.objective.name,
        claim=workload.estimator.claim(workload.problem, workload.num_samples),
        evaluations=workload.estimator.evaluations(workload.problem, workload.num_samples),
        fitted=workload.fitted,
        fit_seconds=workload.fit_seconds,
        replicates=groups.replicates,
        stop_reason=stop_reason,
        nonfinite=sampling.nonfinite,
        mean=named(groups.overall_mean),
        variance=named(variance),
        variance_low=named(low),
        variance_high=named(high),
        total_variance=total_variance,
        batch=workload.batch,
        order=workload.order,
        kurtosis=kurtosis,
        snr=statistics.signal_to_noise(groups, floor),
        signals={
            name: _signal(*own) for name, own in zip(workload.places, zip(parts, floors, strict=True), strict=True)
        },
        reference="none" if reference is None else reference.kind,
        reference_gradient=None if reference is None else named(reference.gradient),
        gradient_norm=None if reference is None else reference.norm,
        squared_bias=None if against is None else _open(sampling, statistics.squared_bias(groups, against)),
        mse=None if against is None else _open(sampling, statistics.mean_squared_error(groups, against, floor)),
        cosine=None if sampling.direction is None else _cosine(sampling),
        scale=lies.scale,
        mean_cosine=lies.cosine,
        verdict=_verdict(test, doubt),
        p_value=None if test is None else test.p_value,
        detectable_bias=None if test is None else test.detectable,
        diagnostics=diagnostics | limits | ({DISPUTED_REFERENCE: 1.0} if sampling.disputed else {}),
        warnings=(
            *caught,
            *_warnings(sampling, total_variance, kurtosis),
            *_told(sampling, limits),
            *filter(None, (doubt, sampling.remark)),
        ),
        statistics_seconds=seconds,
        compile_seconds=sampling.compile_seconds,
        groups=groups,
        leave_one_out=_leave_one_out(groups, against, total_variance),
        reference_groups=against,
    )


def _open(sampling: Sampling, interval: Interval) -> Interval:
    """Of estimates that show nothing, nothing is known either of an error."""
    return Interval(interval.value, 0.0, math.inf) if sampling.unknown_scale else interval


def _cosine(sampling: Sampling) -> Interval:
    assert sampling.groups is not None
    found = statistics.cosine(sampling.cosines / sampling.groups.count)
    return Interval(found.value, -1.0, 1.0) if sampling.unknown_scale else found


def _leave_one_out(groups: Groups, against: np.ndarray | None, total_variance: Interval) -> dict[str, np.ndarray]:
    """See `Measurement.leave_one_out`. A variance at the level of rounding says nothing of another."""
    found = {"total_variance": statistics.leave_one_out_log_variance(groups)} if total_variance.value else {}
    if against is not None:
        with np.errstate(all="ignore"):
            found["mse"] = np.log(statistics.leave_one_out_error(groups, against))
    return {name: logs for name, logs in found.items() if np.isfinite(logs).all()}


def _signal(groups: Groups, floor: np.ndarray) -> Signal:
    return Signal(statistics.total_variance(groups, floor), statistics.signal_to_noise(groups, floor))


def _bias_test(sampling: Sampling, against: np.ndarray) -> tuple[statistics.BiasTest, dict[str, float]]:
    """The test of the bias, with a larger floor where rounding explains it; and what more replicates do not mend.

    Where costs nearly cancel, rounding moves a gradient by more than its own last bits: a bias, but of the dtype. And
    an exact gradient is a sum, whose error is that of its terms.
    """
    floor, workload = sampling.rounding_floor, sampling.workload
    test = _tested(sampling, against, floor)
    if test.verdict == "biased" and against.ndim == 1:
        terms = statistics.ROUNDING * torch.finfo(torch.float64).eps * size_of_terms(workload)
        floor = np.maximum(floor, terms)
        test = _tested(sampling, against, floor)
    rounded = test.verdict == "biased" and workload.dtype != torch.float64
    if rounded:
        floor = np.maximum(floor, ROUNDING_MARGIN * rounding_shift(workload))
        test = _tested(sampling, against, floor)
    return test, _limits(sampling, test, against, rounded)


def _tested(sampling: Sampling, against: np.ndarray, floor: np.ndarray) -> statistics.BiasTest:
    assert sampling.groups is not None
    return statistics.bias_test(sampling.groups, against, floor, sampling.parts, sampling.unknown_scale)


def _limits(sampling: Sampling, test: statistics.BiasTest, against: np.ndarray, rounded: bool) -> dict[str, float]:
    """What more replicates do not mend; `rounded`: the allowance for rounding made a bias disappear."""
    assert sampling.groups is not None and sampling.reference is not None
    if rounded and test.verdict != "biased":
        squared = statistics.squared_bias(sampling.groups, against)
        hidden = statistics.relative_bias(squared, sampling.reference.norm)
        return {} if hidden is None else {WITHIN_ROUNDING: hidden.value}
    known = statistics.relative_error(against)
    return {REFERENCE_ERROR: known} if test.verdict != "biased" and POWER * known > statistics.TOLERANCE else {}


def _told(sampling: Sampling, limits: dict[str, float]) -> list[str]:
    """The limits in words."""
    dtype = str(sampling.workload.dtype).removeprefix("torch.")
    texts = {
        WITHIN_ROUNDING: f"{{}} of the gradient are missed, which rounding in {dtype} may explain: measure in float64 "
        "(--dtype float64)",
        REFERENCE_ERROR: f"{KNOWN_TO} {{}} only: a bias of that size is not seen",
    }
    return [texts[name].format(percent(value)) for name, value in limits.items()]


def _doubt(sampling: Sampling, test: statistics.BiasTest | None, purse: Purse | None) -> str:
    """Why no score function is right here, unless one is seen to be right; '': nothing is wrong."""
    workload, exact = sampling.workload, sampling.reference is not None and sampling.reference.kind == "exact"
    if not workload.estimator.traits.rests_on_score:
        return ""
    if exact and (test is None or test.verdict != "biased"):
        return ""
    return wrong_score(workload, purse)


def _verdict(test: statistics.BiasTest | None, doubt: str) -> statistics.Verdict | None:
    """What the comparison with a reference says, or without one what is known of the score."""
    if test is None:
        return "biased" if doubt else None
    return test.verdict


def _warnings(sampling: Sampling, total_variance: Interval, kurtosis: float) -> list[str]:
    lost = list(filter(None, [lost_samples(sampling.workload).by_cost]))
    if sampling.nonfinite:
        return [f"{sampling.nonfinite:,} of {sampling.replicates:,} gradient estimates are not finite", *lost]
    if sampling.unknown_scale:
        unseen = f"an event of a probability up to {10 / sampling.replicates:.1g} may have been missed"
        return [f"every estimate was the same, and every cost: {unseen}, more replicates are needed"]
    found = lost
    width = statistics.relative_half_width(total_variance)
    if width > 0.25:
        known = f"known to {percent(width)} only" if width < HARDLY else "hardly known"
        found.append(f"the variance is {known}: more replicates are needed")
    if sampling.tail_shape > HEAVY_TAIL:
        about = f" (kurtosis about {kurtosis:.0f})" if math.isfinite(kurtosis) else ""  # not known of 64 replicates
        found.append(f"heavy tails{about}: the variance may be larger than its interval says")
    return found
