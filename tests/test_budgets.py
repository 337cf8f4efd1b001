"""Contests keep to their budgets, whatever gradients, fits and the reference cost, and say what was not decided."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from contests import contest, named, timeless, wanted
from measurements import Custom, work
from torch import Tensor

from estimators import Estimator, Params, register_estimator
from estimators.interface import Noise, Problem
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from experiments.measuring import doubling, growing_reference
from experiments.measuring.moments import Sampling
from experiments.measuring.purse import Purse
from experiments.measuring.reference import Reference
from experiments.measuring.reference_files import folder, read
from experiments.ranking import phases
from experiments.ranking.budget import Budget
from experiments.statistics import relative_half_width
from experiments.terminal.progress import Narrator, silent

SCORE = "score-function:control_variate=leave-one-out"
CHEAP = ("pathwise", "score-function", SCORE)
DEAR = "finite-differences"
pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_budget_holds_and_who_is_too_dear_is_left_out_with_what_it_would_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One gradient of finite differences takes 7 seconds here, where the others take 20 milliseconds."""
    clock = timeless(
        monkeypatch, lambda spec: 7.0 if spec == DEAR else 1e-3, lambda spec: 7.0 if spec == DEAR else 1e-3
    )
    found = contest([*CHEAP, DEAR], Budget(60.0))
    assert {one.estimator for one in found.measurements} == set(CHEAP) and not found.failed and clock[0] < 66
    why = named(found.left_out)[DEAR]
    assert "more than its share" in why and "would include it" in why
    more = contest([*CHEAP, DEAR], Budget(wanted(why, "seconds")))
    assert DEAR in {one.estimator for one in more.measurements} and not more.left_out


def test_where_all_are_dear_the_cheapest_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 gradients of each take 3.2 seconds."""
    clock = timeless(monkeypatch, lambda spec: 0.05, lambda spec: 0.05)
    found = contest([*CHEAP, "measure-valued", "spsa", "evolution-strategies"], Budget(20.0))
    assert clock[0] < 22 and found.measurements and found.left_out
    assert all(64 <= one.replicates <= 512 for one in found.measurements)
    assert all(relative_half_width(one.total_variance) > 0.1 for one in found.measurements)
    assert not {"spsa", "evolution-strategies"} & {one.estimator for one in found.measurements}, "they claim a bias"


def test_the_same_noise_is_met_however_far_one_gets_at_a_time() -> None:
    whole, parts, short = (Sampling(work("pathwise", Custom(), 4), None) for _ in range(3))
    doubling.reach(whole, 4096)
    for goal in (64, 200, 1000, 4096):
        doubling.reach(parts, goal)
    doubling.reach(short, 4096, Purse(evaluations=4.0 * 2000))
    assert whole.groups is not None and parts.groups is not None and short.groups is not None
    np.testing.assert_array_equal(whole.groups.mean, parts.groups.mean)
    assert whole.replicates == 4096 and 1500 < short.replicates <= 2000
    shared = np.corrcoef(short.groups.mean[:, 0], whole.groups.mean[:, 0])[0, 1]
    assert shared > 0.4, "a part of the same replicates"


def test_the_reference_is_in_the_budget_and_says_how_well_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = timeless(monkeypatch, lambda spec: 2e-3, lambda spec: 2e-3)
    found = contest(CHEAP, Budget(20.0))
    assert clock[0] < 22 and {one.reference for one in found.measurements} == {"measured"}
    assert any("the measured reference is known to" in text for one in found.measurements for text in one.warnings)
    for one in found.measurements:
        assert one.squared_bias is not None and one.squared_bias.low <= 0 and one.verdict != "biased"


def test_a_reference_that_a_budget_ended_serves_as_small_a_one_and_a_larger_one_betters_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = timeless(monkeypatch, lambda spec: 2e-3, lambda spec: 2e-3)
    errors, times = [], []
    for seconds in (20.0, 20.0, 80.0):
        before = clock[0]
        contest(("pathwise",), Budget(seconds))
        times.append(clock[0] - before)
        (file,) = folder().glob("*.npz")
        kept = read(file.stem, 2)
        assert isinstance(kept, Reference)
        errors.append(kept.groups.std(0).sum())
    assert errors[0] == errors[1] > 1.5 * errors[2]


def test_a_fit_that_takes_too_long_is_interrupted() -> None:
    """By the clock on the wall."""

    @register_estimator("never-learns")
    @dataclass(frozen=True)
    class Never(Estimator):
        learned: Tensor | None = None

        def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
            return Pathwise().surrogate(problem, params, noise)

        def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Estimator:
            while True:
                torch.zeros(1).add(1)

    found = contest(["pathwise", "never-learns"], Budget(8.0))
    assert [one.estimator for one in found.measurements] == ["pathwise"] and not found.failed
    assert "to be ready, its share of the budget" in named(found.left_out)["never-learns"]


class Interrupting(Narrator):
    """Ctrl-C when something is said to be done for the n-th time."""

    def __init__(self, what: str):
        self.__dict__.update(silent().__dict__)
        self.what = what

    def doing(self, what: str) -> None:
        if what.startswith(self.what):
            raise KeyboardInterrupt
        super().doing(what)


@pytest.mark.parametrize(("what", "known"), [("preparing", 0), ("timing all", 3), ("3 estimators may be the best", 3)])
def test_what_was_known_is_left_after_an_interruption(monkeypatch: pytest.MonkeyPatch, what: str, known: int) -> None:
    timeless(monkeypatch, replicate=lambda spec: 1e-3)
    monkeypatch.setattr(phases, "undecided", lambda entries, precise: [one.estimator for one in entries])
    found = contest(CHEAP, Budget(3.0), Interrupting(what))
    assert found.interrupted and len(found.measurements) == known and len(found.left_out) == 3 - known
    assert all(one.timing is not None for one in found.measurements)


def test_a_budget_is_of_something() -> None:
    for wrong in ((None, None), (0.0, None), (None, 0), (float("inf"), None)):
        with pytest.raises(ValueError, match=r"budget needs|must be above 0"):
            Budget(*wrong)


def test_where_moments_take_too_much_memory_the_worst_give_theirs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their figures stay, and the first is the same."""
    found = []
    for memory in (2**30, 1):
        with monkeypatch.context() as patch:
            timeless(patch)
            patch.setattr(phases, "MEMORY", memory)
            found.append({one.estimator: one for one in contest(CHEAP, Budget(1.0)).measurements})
    whole, spared = found
    kept = [spec for spec, one in spared.items() if one.groups.mean.size]
    assert kept == ["pathwise"] and all(one.groups.mean.size for one in whole.values())
    for spec in CHEAP:
        assert spared[spec].total_variance.value == pytest.approx(whole[spec].total_variance.value, rel=0.2)


def test_a_reference_that_ended_early_is_continued() -> None:
    """It was offered a hundred seconds and took a moment of them."""
    reference = growing_reference.GrowingReference(work("pathwise", Custom()), Purse(100.0))
    reference.grow()
    reference.close()
    again = growing_reference.GrowingReference(work("pathwise", Custom()), Purse(100.0))
    assert again.growing and isinstance(again.found, Reference)
