"""Two runs against each other: what got worse is said, and what only seems so is not."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import cell, frame

from experiments.analysis.comparison import Change, Comparison, Gate, compare, runs
from experiments.store import Run

NAMES = ("pathwise", "score-function", "spsa", "exact", "finite-differences")


def a_run(*cells: dict, slower: float = 1.0, **provenance: str) -> Run:
    """Times are seven rounds that vary by 2 %."""
    frames, nothing = frame(*cells), pd.DataFrame()
    rounds = [
        {"key": one["key"], "kind": "latency", "round": index, "seconds": slower * one["seconds_per_gradient"] * factor}
        for one in cells
        if one["seconds_per_gradient"]
        for index, factor in enumerate(np.linspace(0.98, 1.02, 7))
    ]
    timings = pd.DataFrame(rounds, columns=["key", "kind", "round", "seconds"])
    known = {"cpu": "Xeon", "git_commit": "a"} | provenance
    return Run(frames, nothing, nothing, nothing, timings, known, plan=tuple(frames["key"]))


def changed(**columns: Any) -> Comparison:
    """Three estimators, of which one differs in its code and in some columns."""
    before = [cell(name) for name in NAMES]
    return compare(a_run(*before), a_run(cell("pathwise", key="new code", **columns), *before[1:]))


def worse(found: Comparison, gate: Gate = Gate()) -> dict[str, list[str]]:  # noqa: B008
    return {one.point[1]: one.worse(gate) for one in found.regressions(gate)}


def test_a_run_is_no_worse_than_itself():
    run = a_run(*(cell(name) for name in NAMES))
    found = compare(run, run)
    assert not worse(found) and not found.new and not found.vanished and not found.machines
    ratios = [change.ratio.value for one in found.matched for change in one.changes.values()]
    assert len(ratios) == 20 and all(ratio == 1 for ratio in ratios)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"total_variance": (8.0, 7.6, 8.4)}, ["variance"]),
        ({"total_variance": (4.8, 4.6, 5.0)}, []),  # below the threshold
        ({"total_variance": (8.0, 2.0, 32.0)}, []),  # may be chance
        ({"squared_bias": (0.04, 0.035, 0.045), "verdict": "biased"}, ["bias"]),
        ({"squared_bias": (0.04, 0.035, 0.045), "verdict": "undetermined"}, []),
        ({"squared_bias": (1e-3, -1e-3, 4e-3), "verdict": "biased"}, []),  # may have been there before
        ({"seconds_per_gradient": 4e-4}, ["time"]),
        ({"seconds_per_gradient": 4e-4, "device_name": "Epyc"}, []),
        ({"evaluations": 20}, ["evaluations"]),
        ({"evaluations": 11}, ["evaluations"]),
        ({"evaluations": None}, []),
        ({"status": "timeout", "error": "stopped at the limit"}, ["fails"]),
        ({"status": "skipped", "error": "no longer supported"}, ["fails"]),
        ({"timing_status": "timeout", "error": "stopped", "seconds_per_gradient": None}, ["fails"]),
        ({"nonfinite": 20_000, "total_variance": (math.nan,) * 3, "squared_bias": (math.nan,) * 3}, ["fails"]),
        ({"nonfinite": 3, "total_variance": (math.inf,) * 3}, ["fails"]),
        ({"status": "interrupted"}, []),
    ],
)
def test_what_got_worse_is_named(columns: dict, expected: list[str]):
    assert worse(changed(**columns)) == ({"pathwise": expected} if expected else {})


def test_what_got_better_is_no_regression():
    found = changed(total_variance=(1.0, 0.95, 1.05), seconds_per_gradient=1e-4, evaluations=5)
    assert not worse(found)
    assert found.matched[0].better(Gate()) == ["variance", "time", "evaluations"]


def test_the_gate_has_a_threshold_and_a_significance():
    found = changed(total_variance=(4.8, 4.6, 5.0))
    assert worse(found, Gate(1.1)) == {"pathwise": ["variance"]} and not worse(found, Gate(1.1, 1e-12))


def test_rounding_is_no_variance():
    tiny = [cell(total_variance=(value, 0.9 * value, 1.1 * value)) for value in (1e-14, 1e-12)]
    assert not worse(compare(a_run(tiny[0]), a_run(tiny[1])))
    zero, some = cell("exact", total_variance=(0.0, 0.0, 0.0)), cell("exact")
    assert worse(compare(a_run(zero), a_run(some))) == {"exact": ["variance"]}


def test_a_slower_machine_is_no_slower_estimator():
    before = [cell(name) for name in NAMES]
    slow = a_run(cell("pathwise", key="new code"), *before[1:], slower=3)
    found = compare(a_run(*before), slow)
    assert (
        not worse(found) and [drift.cells for drift in found.drifts] == [4] and math.isclose(found.drifts[0].factor, 3)
    )
    assert math.isclose(found.matched[0].changes["time"].ratio.value, 1, rel_tol=1e-6)
    slower = a_run(cell("pathwise", key="new code", seconds_per_gradient=4e-4), *before[1:], slower=3)
    assert worse(compare(a_run(*before), slower)) == {"pathwise": ["time"]}


def test_times_that_vary_from_run_to_run_are_not_trusted_beyond_that():
    before = [cell(name) for name in NAMES]
    varied = [
        cell(name, seconds_per_gradient=value)
        for name, value in zip(NAMES[1:], (5e-4, 1e-4, 3e-4, 1.5e-4), strict=True)
    ]
    after = [cell("pathwise", key="new code", seconds_per_gradient=4e-4), *varied]
    assert not worse(compare(a_run(*before), a_run(*after)))


def test_times_are_not_judged_without_enough_cells_of_the_same_code():
    before, after = [cell(name) for name in NAMES], [cell("pathwise", key="new code", seconds_per_gradient=4e-4)]
    found = compare(a_run(*before), a_run(*after, *before[1:3]))
    assert not worse(found) and not found.drifts
    assert worse(compare(a_run(*before), a_run(*after, *before[1:4]))) == {"pathwise": ["time"]}


def test_each_device_has_its_own_yardstick():
    gpu: dict[str, Any] = {"device": "cuda", "device_name": "H100"}
    before = [cell(name) for name in NAMES] + [cell(name, key=f"{name} there", **gpu) for name in NAMES]
    slow = [one | {"seconds_per_gradient": 6e-4} if one["device"] == "cpu" else one for one in before]
    found = compare(a_run(*before), a_run(*slow))
    assert not worse(found) and [round(drift.factor, 6) for drift in found.drifts] == [3, 1]


@pytest.mark.parametrize("commits", [("a", "b"), ("a-dirty", "a-dirty")])
def test_keys_are_no_proof_of_the_same_code_in_another_checkout(commits: tuple[str, str]):
    before = [cell(name) for name in NAMES]
    one, two = (a_run(*before, git_commit=commit) for commit in commits)
    assert not compare(one, two).drifts and compare(a_run(*before), a_run(*before)).drifts
    assert not compare(a_run(*before, merged_from="x, y"), a_run(*before)).drifts


def test_a_plug_in_is_no_yardstick_since_it_may_import_what_has_changed():
    cells = [cell("pathwise", f"unknown-problem:k={index}") for index in range(5)]
    assert not compare(a_run(*cells), a_run(*cells, slower=3)).drifts


def test_several_cells_of_a_point_are_refused():
    with pytest.raises(ValueError, match="several cells of pathwise on gaussian-quadratic, S=10"):
        compare(a_run(cell(key="seed 0"), cell(key="seed 1")), a_run(cell()))


def test_what_the_second_run_has_not_done_yet_is_missing():
    after = a_run(cell("pathwise"))
    found = compare(a_run(cell("pathwise"), cell("spsa")), replace(after, plan=(*after.plan, "spsa …")))
    assert [point[1] for point in found.missing] == ["spsa"] and not found.vanished


def test_an_unchanged_bias_alarms_as_rarely_as_the_significance_says():
    """Of 2 to 4 of its standard errors, where the verdict flips back and forth."""
    generator = np.random.default_rng(0)
    alarms = 0
    for size in (2.0, 3.0, 4.0):
        for one, two in size + generator.standard_normal((1000, 2)):
            sides = [
                cell(
                    squared_bias=(v, v - 1.96, v + 1.96), verdict="biased" if v > 3.3 else "undetermined", p_value=1e-4
                )
                for v in (one, two)
            ]
            change = runs._bias(*sides)
            alarms += change is not None and change.worse(Gate(1.01, 0.01))
    assert alarms <= 60  # 30 expected, fewer since only the biased are judged


def test_false_alarms_are_as_rare_as_the_significance_says():
    """Runs of which nothing changed, with errors as large as their intervals say."""
    generator = np.random.default_rng(0)
    arm = math.exp(2 * 0.2)
    alarms = 0
    for one, two in 4 * np.exp(0.2 * generator.standard_normal((2000, 2))):
        sides = [cell(total_variance=(v, v / arm, v * arm)) for v in (one, two)]
        change = runs._variance(sides[0], sides[1])
        alarms += change is not None and change.worse(Gate(1.01, 0.01))
    assert 5 <= alarms <= 40  # 20 expected


def test_new_and_vanished_cells_and_other_machines_are_named():
    found = compare(a_run(cell("pathwise"), cell("spsa")), a_run(cell("pathwise"), cell("exact"), cpu="Epyc"))
    assert [point[1] for point in found.new] == ["exact"] and [point[1] for point in found.vanished] == ["spsa"]
    assert found.machines == ["cpu: Xeon → Epyc"]


def test_an_untimed_or_unreferenced_cell_is_compared_in_the_rest():
    nothing = (math.nan,) * 3
    bare = cell(seconds_per_gradient=None, squared_bias=nothing, verdict=None, gradient_norm=None)
    (matched,) = compare(a_run(bare), a_run(bare)).matched
    assert set(matched.changes) == {"variance", "evaluations"}


def test_a_single_round_of_timing_is_never_a_regression():
    one, two = a_run(cell()), a_run(cell(key="new code", seconds_per_gradient=2.0))
    short = [replace(run, timings=run.timings.head(1)) for run in (one, two)]
    change = compare(*short).matched[0].changes["time"]
    assert isinstance(change, Change) and change.ratio.high == math.inf and not change.worse(Gate())


def test_more_seeds_that_diverge_are_a_failure():
    settings = {"optimizer": "adam", "learning_rate": 0.1, "batch": 0, "steps": 30, "replicates": 5}
    one, two = (a_run(cell("pathwise", **settings, diverged=count)) for count in (0, 2))
    (found,) = compare(one, two).matched
    assert found.worse(Gate()) == ["fails"] and found.failure == "2 of 5 seeds diverged"
    assert not worse(compare(two, two)) and not worse(compare(two, one))


def test_what_the_second_run_has_not_measured_is_lost():
    """Missing, vanished or interrupted, but only where the first run had a result."""
    first = [cell("pathwise"), cell("spsa"), cell("exact"), cell("score-function", status="failed")]
    before = a_run(*first)
    found = compare(before, a_run(cell("pathwise"), cell("spsa", status="interrupted")))
    estimators = {allow: [point[1] for point in found.lost(allow_vanished=allow)] for allow in (False, True)}
    assert estimators == {False: ["spsa", "exact"], True: ["spsa"]}
    assert [one.point[1] for one in found.comparable] == ["pathwise"]
    unfinished = replace(a_run(cell("pathwise")), plan=before.plan)
    assert [point[1] for point in compare(before, unfinished).lost(allow_vanished=True)] == ["spsa", "exact"]
    assert not compare(before, a_run(*(one | {"status": "interrupted"} for one in first))).comparable
