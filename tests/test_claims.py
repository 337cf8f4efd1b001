"""What every estimator claims of its bias, on every problem: none where it says so, and one where it does not."""

from fnmatch import fnmatch

import pytest
from cases import (
    CASES,
    COVERING,
    Case,
    each_estimator,
    is_dear,
    problem,
)
from moving_costs import MovingBits, MovingChoice, MovingTarget
from test_conformance import param, workload

from estimators.bounds.unbiased_log_evidence import LogEvidence
from estimators.interface import Problem
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.measuring.reference import Reference
from experiments.sweep import Stop

pytestmark = pytest.mark.usefixtures("short_fits")

DETECTABLE = 0.02
"""The relative bias that must have been detectable."""


FEW_MOMENTS = [
    "unbiased-log-evidence@linear-gaussian:dim=2,perturbation=1,points=2@*",
    "unbiased-log-evidence@state-space:*",
]
"""Cases whose weights have tails so heavy that no number of replicates shows a bias: test_unbiased_log_evidence.py has
a problem whose q is nearer to the posterior."""
AFFORDABLE = 50_000_000
"""Samples (replicates times num_samples) beyond which a problem's parameters have to be chosen better, in cases.py."""
CALLS = 200_000
"""Of a program that is called for one sample at a time: minutes."""


def sensitive(work: Workload) -> Measurement:
    """With enough replicates to see a bias of 2 %; only the noise decides how many those are.

    Of a program that is called one by one, what so many calls show.
    """
    reference, needed = find_reference(work), 8_192.0
    if not work.problem.mapped:
        return estimate(work, reference, Stop(replicates=CALLS // work.num_samples))
    while needed * work.num_samples <= AFFORDABLE:
        found = estimate(work, reference, Stop(rtol=1, detect=True, max_replicates=int(needed)))
        assert found.detectable_bias is not None
        if found.detectable_bias <= DETECTABLE:
            return found
        needed = 1.3 * found.replicates * (found.detectable_bias / DETECTABLE) ** 2
    pytest.fail(f"a bias of {DETECTABLE:.0%} would take {needed:,.0f} replicates")


def report(found: Measurement) -> str:
    assert found.squared_bias is not None and found.gradient_norm and found.detectable_bias is not None
    bias = max(found.squared_bias.value, 0) ** 0.5 / found.gradient_norm
    return (
        f"{found.verdict} with p = {found.p_value:.2g} after {found.replicates:,} replicates: relative bias about "
        f"{bias:.2%}, detectable {found.detectable_bias:.2%}"
    )


@pytest.mark.parametrize(
    "case", [param(case, case not in COVERING or is_dear(case)) for case in CASES if case.claim() == "unbiased"]
)
def test_claim_of_no_bias(case: Case) -> None:
    """One alarm in a thousand is false: whoever is caught is tried again on fresh noise."""
    if any(fnmatch(str(case), pattern) for pattern in FEW_MOMENTS):
        pytest.skip("its weights have few moments")
    target_is_known = isinstance(find_reference(workload(case)), Reference)
    if not target_is_known and workload(case).objective == LogEvidence():
        pytest.skip("its log-evidence is not known")
    for seed in (0, 1):
        found = sensitive(prepare(*case.make(), case.num_samples if target_is_known else 1, seed=seed))
        if found.verdict != "biased":
            return
    pytest.fail(report(found))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("made", [MovingTarget(), MovingBits(), MovingChoice()], ids=lambda made: type(made).__name__)
@each_estimator
def test_cost_that_depends_on_the_parameters(spec: str, made: Problem) -> None:
    estimator = make_estimator(spec)
    num_samples = 2 if isinstance(made, MovingChoice) else 4  # of three states; with all of them nothing is drawn
    if estimator.unsupported(made, num_samples) or estimator.claim(made, num_samples) == "biased":
        pytest.skip("not for this distribution, or biased")
    found = sensitive(prepare(made, estimator, num_samples))
    assert found.verdict != "biased", report(found)


def num_params(case: Case) -> int:
    return sum(value.numel() for value in problem(case.problem).initial_params().values())


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("spec", sorted({case.estimator for case in CASES if case.claim() == "biased"}))
def test_claimed_bias_is_seen_somewhere(spec: str) -> None:
    """By few replicates anywhere, or by many; where there are few parameters: some evaluate the cost for each."""
    cases = [case for case in CASES if case.estimator == spec and case.claim() == "biased" and not is_dear(case)]
    seen = []
    for replicates in (10_000, 200_000):
        for case in sorted(cases, key=num_params):
            work = workload(case, "float32")
            found = estimate(work, find_reference(work), Stop(replicates=replicates))
            if found.verdict == "biased":
                return
            seen.append(f"{case.problem}: {report(found)}")
    pytest.fail(f"{spec} claims to be biased, but nowhere is it seen\n" + "\n".join(seen))
