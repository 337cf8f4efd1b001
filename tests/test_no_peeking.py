"""When to stop is decided by the noise alone: a bias changes neither how long is sampled nor what is planned."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring import loop, pace
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.statistics import GROUPS, Groups
from experiments.statistics.verdict import bias_test, shortage
from experiments.sweep import Stop

LEAVE_ONE_OUT = make_estimator("score-function:control_variate=leave-one-out")


@dataclass(frozen=True)
class Off(Estimator):
    """An estimator with a constant added to every entry."""

    by: float

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        shift = sum(value.flatten(1).sum(1) for value in params.values())
        return LEAVE_ONE_OUT.surrogate(problem, params, noise) + self.by * shift


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("more", [{}, {"detect": True}, {"settle_elements": 8_000_000}], ids=str)
def test_a_bias_changes_nothing_of_how_long_is_sampled(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what is thought to be still wanted, which decides whether to compile."""
    planned: list[float] = []
    monkeypatch.setattr(loop, "pays", lambda elements: bool(planned.append(elements)))
    monkeypatch.setattr(pace, "FIRST_REPLICATES", 4_096)
    stop = Stop(rtol=0.02, max_replicates=400_000, **more)
    seen = []
    for by in (0.0, 0.01, 1.0):
        work = prepare(make_problem("gaussian-quadratic:dim=2"), Off(by), 10, dtype="float64", compile="auto")
        planned.clear()
        found = estimate(work, find_reference(work), stop)
        seen.append((found.stop_reason, found.replicates, [round(count, -3) for count in planned], found.verdict))
    assert [one[3] for one in seen][1:] == ["biased", "biased"] and seen[0][3] != "biased"
    assert seen[0][0] == "precision" and len(seen[0][2]) > 3, "it looks several times"
    assert len({str(one[:3]) for one in seen}) == 1, seen


def test_whether_it_is_decided_does_not_depend_on_the_deviation() -> None:
    """From noise that leaves everything open to noise that leaves nothing."""
    gradient, spread = np.array([1.0, -2.0, 0.5]), np.random.default_rng(0).standard_normal((GROUPS, 3))
    decided = []
    for noise in np.geomspace(1e-3, 1, 30):
        deviations = np.full((GROUPS, 3), 99 * 100 * noise**2)
        answers, verdicts = [], []
        for bias in (0.0, 0.02, 1.0, 50.0):
            groups = Groups(100, gradient + bias + noise * (spread - spread.mean(0)), deviations)
            answers.append(shortage(groups, gradient, 0.0) > 1)
            verdicts.append(bias_test(groups, gradient, 0.0).verdict)
        assert len(set(answers)) == 1 and verdicts[-1] == "biased" != verdicts[0]
        decided.append(not answers[0])
    assert decided[0] and not decided[-1]


@pytest.mark.usefixtures("small_chunks")
def test_a_verdict_is_settled_where_that_is_affordable_and_nothing_is_spent_where_it_is_not() -> None:
    """About 280,000 replicates of 20 elements settle it."""
    work = prepare(make_problem("gaussian-quadratic:dim=2"), LEAVE_ONE_OUT, 10)
    reference = find_reference(work)
    found = {
        allowed: estimate(work, reference, Stop(rtol=0.1, max_replicates=6_400, settle_elements=allowed))
        for allowed in (None, 200_000, 10_000_000)
    }
    assert [one.replicates for one in found.values()][:2] == [6_400, 6_400]
    assert found[None].verdict == "undetermined" and (found[None].detectable_bias or 0) > 0.01
    settled = found[10_000_000]
    assert (
        settled.verdict == "unbiased"
        and 0 < (settled.detectable_bias or 0) <= 0.01
        and settled.stop_reason == "precision"
    )
    assert 0 < (settled.detectable_bias or 0) <= 0.01
    assert 20 * settled.replicates <= 10_000_000
    fixed = estimate(work, reference, Stop(replicates=6_400, settle_elements=10_000_000))
    assert fixed.replicates == 6_400
