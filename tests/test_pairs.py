"""Comparisons from groups that two estimators share: how sure they are, where they are used, and one order for all."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from frames import cell, frame
from test_check import estimator, plugin

from estimators import make_estimator, make_problem
from estimators.interface import EXPECTED_COST
from estimators.registry import unload_plugin
from experiments import load
from experiments.analysis.comparison import compare
from experiments.gradients.prepare import prepare
from experiments.measuring.loop import estimate
from experiments.measuring.purse import Purse
from experiments.measuring.stop import Stop
from experiments.plots.kinds.work import _ratios
from experiments.ranking.order import Ranked, in_order, undecided
from experiments.ranking.pace import affordable
from experiments.ranking.stored import rankings
from experiments.report.ranking import tables
from experiments.statistics import GROUPS, Interval, Work, relative_half_width
from experiments.statistics.variance import log_jackknife
from experiments.store import Run

SECONDS = np.full(7, 1e-3)


def work(groups: np.ndarray) -> Work:
    """The work of an estimator whose variance in group k is known, `[G]`."""
    without = (groups.sum() - groups) / (len(groups) - 1)
    return Work(log_jackknife(float(groups.mean()), without), np.log(without), SECONDS)


def test_ratios_of_pairs_cover_the_truth_and_are_narrow() -> None:
    """Variances of two estimators, of which nine tenths of the noise are shared; the truth is 1.1."""
    generator = np.random.default_rng(0)
    covered, paired, unpaired = 0, [], []
    for _ in range(1000):
        shared = generator.gamma(20.0, 1 / 20, GROUPS)
        one, other = (shared * generator.gamma(500.0, 1 / 500, GROUPS) for _ in range(2))
        a, b = work(1.1 * one), work(other)
        ratio = a.over(b)
        covered += ratio.low <= 1.1 <= ratio.high
        paired.append(relative_half_width(ratio))
        unpaired.append(relative_half_width(Work(a.quantity, None, SECONDS).over(Work(b.quantity, None, SECONDS))))
    assert 930 <= covered <= 970
    assert np.median(paired) < np.median(unpaired) / 3


def test_independent_groups_are_no_surer_in_pairs() -> None:
    generator = np.random.default_rng(1)
    ratios = []
    for _ in range(400):
        a, b = (work(generator.gamma(20.0, 1 / 20, GROUPS)) for _ in range(2))
        ratios.append(a.over(b))
    assert 365 <= sum(ratio.low <= 1 <= ratio.high for ratio in ratios) <= 392


def test_rounds_in_turn_are_compared_round_by_round() -> None:
    """The machine slows down for both alike."""
    quantity, pace = Interval(1.0, 0.999, 1.001), np.array([1.0, 1.5, 2.0, 1.2, 0.9, 3.0, 1.1])
    a, b = (Work(quantity, None, factor * pace, turns=7) for factor in (2.0, 1.0))
    apart = Work(quantity, None, 2 * pace).over(b)
    assert relative_half_width(a.over(b)) < 0.01 < 0.3 < relative_half_width(apart)
    assert a.over(b).value == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("a", "b", "ratio"),
    [
        (Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        (Interval(2.0, 1.0, 3.0), Interval(0.0, 0.0, 0.0), (np.inf, np.inf, np.inf)),
        (Interval(2.0, 1.0, 3.0), Interval(1.0, 0.5, 2.0), (2.0, 0.5, 6.0)),
    ],
)
def test_without_more_the_intervals_decide(a: Interval, b: Interval, ratio: tuple[float, ...]) -> None:
    assert a.over(b) == ratio


def test_estimators_that_shared_their_noise_are_told_apart_by_pairs() -> None:
    """Two learned baselines that differ by little: the noise of both is that of the same samples."""
    problem = make_problem("gaussian-quadratic:dim=4")
    works = []
    for control in ("moving-average", "optimal-baseline"):
        workload = prepare(problem, make_estimator(f"score-function:control_variate={control}"), 8)
        found = estimate(workload, None, Stop(replicates=2**15))
        works.append(Work(found.total_variance, found.leave_one_out["total_variance"], SECONDS))
    a, b = works
    paired = relative_half_width(a.over(b))
    unpaired = relative_half_width(Work(a.quantity, None, SECONDS).over(Work(b.quantity, None, SECONDS)))
    assert paired < unpaired / 3


def entry(name: str, groups: np.ndarray, **known: Any) -> Ranked:
    made = work(groups)
    return Ranked(name, made.interval, work=made, **known)


def test_a_tie_ends_where_pairs_tell_apart() -> None:
    """The intervals overlap by far, and the second is 1 % worse in every group."""
    groups = np.random.default_rng(2).gamma(5.0, 1 / 5, GROUPS)
    one, other = entry("one", groups), entry("other", 1.01 * groups)
    assert one.figure.high > other.figure.low
    first, second = in_order([other, one])
    assert (first.estimator, second.estimator, second.tied) == ("one", "other", False)
    assert undecided([one, other], 0.02) == []
    noisy = entry("noisy", groups * np.random.default_rng(3).gamma(50.0, 1 / 50, GROUPS))
    assert set(undecided([one, noisy], 0.001)) == {"one", "noisy"} and undecided([one, noisy], 0.5) == []


def test_replicates_that_all_can_reach() -> None:
    """The one behind catches up first; what is left is spent by both."""

    def contestant(replicates: int, pace: float) -> Any:
        return SimpleNamespace(sampling=SimpleNamespace(replicates=replicates), pace=pace, evaluations=2)

    def purse(seconds: float, evaluations: float = math.inf) -> Purse:
        return Purse(seconds, evaluations, began=0.0, stopped=0.0)

    ahead, behind = contestant(3000, 1e-3), contestant(1000, 2e-3)
    assert affordable([ahead, behind], purse(2.0)) == 2001 and affordable([ahead, behind], purse(7.0)) == 4001
    assert affordable([ahead, behind], purse(7.0, 4000 + 4 * 500)) == 3501
    assert affordable([contestant(0, 0.0)], purse(1.0)) >= 10**12


def a_run(*cells: dict) -> Run:
    cells_, nothing = frame(*cells), pd.DataFrame()
    timings = pd.DataFrame(columns=["key", "kind", "round", "seconds"])
    return Run(cells_, nothing, nothing, nothing, timings, {}, plan=tuple(cells_["key"]))


def test_the_report_and_the_map_have_one_order() -> None:
    """Biased by its own claim, by what was found, of another objective, the yardstick: in both alike."""
    figures: dict[str, Any] = {"work_normalized_mse": (1e-6, 0.9e-6, 1.1e-6)}
    run = a_run(
        cell("straight-through", "bernoulli-toy:dim=200", verdict="undetermined", claim="biased", **figures),
        cell("gumbel-softmax", "bernoulli-toy:dim=200", verdict="biased", **figures),
        cell("dreg", "bernoulli-toy:dim=200", target="bound of 10 samples", **figures),
        cell("exact", "bernoulli-toy:dim=200", **figures),
        cell("disarm", "bernoulli-toy:dim=200"),
        cell("arm", "bernoulli-toy:dim=200", work_normalized_mse=(8e-3, 7e-3, 9e-3)),
    )
    (table,) = tables(rankings(run))
    assert [row["estimator"] for row in table.ranked] == ["disarm", "arm"]
    why = {row["estimator"]: row["place"] for row in table.others}
    assert why == {"straight-through": "claims a bias", "gumbel-softmax": "biased"} | {
        "dreg": "other objective",
        "exact": "yardstick",
    }
    ratios, biased = _ratios(rankings(run))
    marked = biased["bernoulli-toy:dim=200"].to_dict()
    assert {name for name, mark in marked.items() if mark} == {name for name, place in why.items() if "bias" in place}
    assert set(ratios.index) == {"disarm", "arm", "straight-through", "gumbel-softmax"}
    assert ratios.loc["disarm", "bernoulli-toy:dim=200"] == 1 and ratios.loc["arm"].item() == pytest.approx(10)


MINE = """
from estimators import Objective


@dataclass(frozen=True)
class Mine(Objective):
    name: str = "somebody's bound"

    def exact(self, problem, params, num_samples):
        return None
"""


def test_whose_objective_a_cell_has_is_stored(gradmark, tmp_path: Path) -> None:
    """A report that is drawn where the plug-in is not known says what it said when the run was made."""
    objective = "def objective(self, problem, num_samples):\n        return Mine()\n\n    def claim"
    file = plugin(tmp_path, MINE, estimator("my-bound", factor="1e-3").replace("def claim", objective))
    chosen = ("-e", "my-bound", "-e", "pathwise", "-p", "gaussian-quadratic:dim=2", "-n", "4", "--max-seconds", "0.1")
    assert gradmark("run", *chosen, "--plugin", file, "--name", "own")[0] == 0
    unload_plugin(file)
    run = load(tmp_path / "results" / "own")
    assert dict(zip(run.cells["estimator"], run.cells["target"], strict=True)) == {
        "my-bound": "somebody's bound",
        "pathwise": EXPECTED_COST.name,
    }
    (table,) = tables(rankings(run))
    assert [row["estimator"] for row in table.ranked] == ["pathwise"] and not table.others
    assert table.unranked == {"my-bound": "its gradient is that of another objective: somebody's bound"}
    (found,) = rankings(run)
    assert all(one.ranked.work is not None and one.ranked.work.logs is not None for one in found.placed[:1])
    same = compare(run, run)
    assert all(one.changes["variance"].ratio == (1, 1, 1) for one in same.matched)


def test_a_comparison_of_runs_uses_their_pairs() -> None:
    """Both variances are known to a quarter, their ratio exactly."""
    logs = np.log(np.random.default_rng(4).gamma(5.0, 1 / 5, GROUPS))

    def one(factor: float) -> Run:
        wide = (factor, 0.75 * factor, 1.33 * factor)
        run = a_run(cell("pathwise", total_variance=wide))
        kept = {
            "key": run.plan[0],
            "quantity": "total_variance",
            "logs": (logs + np.log(factor)).astype("<f8").tobytes(),
        }
        return Run(**{**vars(run), "leave_one_out": pd.DataFrame([kept])})

    (matched,) = compare(one(1.0), one(1.2)).matched
    assert relative_half_width(cast(Any, matched.changes["variance"]).ratio) < 1e-6


def test_no_error_is_told_apart_from_any_and_the_fastest_of_these_is_best() -> None:
    """As in `rank`, where several estimators of one bit have no variance."""
    exact = [
        Ranked(name, made.interval, work=made)
        for name, made in (
            ("slow", Work(Interval(0.0, 0.0, 1e-9), None, 3 * SECONDS)),
            ("fast", Work(Interval(0.0, 0.0, 1e-9), None, SECONDS)),
        )
    ]
    groups = np.random.default_rng(2).gamma(5.0, 1 / 5, GROUPS)
    ranking = in_order([entry("noisy", groups), *exact])
    assert [(one.estimator, one.tied) for one in ranking] == [("fast", True), ("slow", True), ("noisy", False)]
    assert undecided(ranking, 0.02) == []
