"""Steps and seconds to a level, on curves that are known."""

import math

import numpy as np
import pandas as pd
import pytest
from frames import cell, frame

from experiments.analysis.milestones import milestones
from experiments.plots import plots
from experiments.report import write_report
from experiments.store import Run

STEPS = (0, 10, 20, 30)


def trained(estimator: str, **known) -> dict:
    columns = {"steps": 30, "diverged": 0, "replicates": 3, "optimizer": "adam", "learning_rate": 0.1, "batch": 0}
    return cell(estimator, seconds_per_gradient=(0.5, 0.4, 0.6), **(columns | known))


def traced(key: str, *seeds: tuple[float, ...], quantity: str = "objective") -> pd.DataFrame:
    rows = [
        {"key": key, "quantity": quantity, "step": step, "replicate": replicate, "value": value}
        for replicate, values in enumerate(seeds)
        for step, value in zip(STEPS, values, strict=False)
    ]
    return pd.DataFrame(rows)


CELLS = frame(trained("pathwise"), trained("spsa"))
FAST, SLOW = CELLS["key"]
TRACES = pd.concat([
    traced(FAST, (9, 5, 3, 1), (9, 4, 2, 1), (9, 6, 4, 1)),
    traced(SLOW, (9, 8, 5, 4), (9, 7, 6, 5), (9, 8, 7, 6)),
])  # fmt: skip


def test_the_default_level_is_one_that_every_cell_reaches():
    fast, slow = milestones(CELLS, TRACES).to_dict("records")
    assert fast["target"] == slow["target"] == 5, "the last median of the cell that ends worst"
    assert (fast["reached"], fast["steps_to_target"]) == (3, 10)
    assert (fast["steps_to_target_low"], fast["steps_to_target_high"]) == (10, 20)
    assert (slow["reached"], slow["steps_to_target"], slow["steps_to_target_high"]) == (2, 30, math.inf)
    assert fast["seconds_to_target"] == 10 * 0.5


def test_a_level_of_ones_own():
    fast, slow = milestones(CELLS, TRACES, target=2.0).to_dict("records")
    assert (fast["steps_to_target"], fast["reached"]) == (30, 3)
    assert (slow["steps_to_target"], slow["reached"]) == (math.inf, 0)


def test_upwards_where_more_is_better():
    traces = pd.concat([
        TRACES,
        traced(FAST, (-9, -5, -3, -1), (-9, -4, -2, -1), (-9, -6, -4, -1), quantity="test_log_likelihood"),
        traced(SLOW, (-9, -8, -5, -4), (-9, -7, -6, -5), (-9, -8, -7, -6), quantity="test_log_likelihood"),
    ])  # fmt: skip
    down, up = (milestones(CELLS, traces, quantity) for quantity in ("objective", "test_log_likelihood"))
    assert up["target"].tolist() == [-5, -5]
    same = ["reached", "steps_to_target", "steps_to_target_low", "steps_to_target_high"]
    pd.testing.assert_frame_equal(up.filter(items=same), down.filter(items=same))


def test_a_seed_that_diverged_sets_no_level():
    cells = frame(trained("pathwise"), trained("spsa", diverged=3, steps=10))
    traces = pd.concat([TRACES.query("key == @FAST"), traced(SLOW, (9,), (9,), (9,))])
    fast, lost = milestones(cells, traces).to_dict("records")
    assert (fast["target"], fast["reached"], lost["reached"]) == (1, 3, 0)


def test_an_objective_that_rises_is_no_better_for_that():
    """As where learning rates are too large, without a seed that runs away."""
    traces = pd.concat([traced(FAST, (5, 6, 8, 9)), traced(SLOW, (5, 4, 3, 2))])
    assert milestones(CELLS, traces)["target"].tolist() == [9, 9]
    third = frame(trained("pathwise"), trained("spsa"), trained("evolution-strategies"))
    traces = pd.concat([traces, traced(third["key"].tolist()[2], (5, 5, 6, 7))])
    found = milestones(third, traces, target=4.0)
    assert found["reached"].tolist() == [0, 1, 0] and found["steps_to_target"].tolist() == [math.inf, 10, math.inf]


def test_where_all_seeds_diverged_there_is_no_target(tmp_path):
    cells = frame(trained("pathwise", diverged=3, steps=10), trained("spsa", diverged=3, steps=10))
    traces = pd.concat([traced(key, (9,), (9,), (9,)) for key in cells["key"]])
    found = milestones(cells, traces)
    assert all(map(math.isnan, found["target"])) and found["reached"].tolist() == [0, 0]
    nothing = pd.DataFrame()
    run = Run(cells, nothing, nothing, traces, nothing, {}, plan=tuple(cells["key"]))
    page = write_report(run, tmp_path / "report.html").read_text("utf-8")
    assert "No target: every cell lost seeds that diverged." in page and "To an objective" not in page


def test_what_was_not_recorded_is_refused():
    with pytest.raises(ValueError, match="unknown quantity 'objectiv'; did you mean 'objective'"):
        milestones(CELLS, TRACES, "objectiv")
    assert milestones(CELLS, TRACES.head(0)).empty


def test_figures_of_training_show_the_median_and_the_range():
    figures = plots(CELLS, traces=TRACES)
    assert list(figures) == ["training", "training-time"]
    for figure, last in zip(figures.values(), (30, 15.0), strict=True):
        (axes,) = [ax for part in figure.subfigs for ax in part.axes]
        lines = {line.get_label(): line for line in axes.lines}
        assert np.asarray(lines["pathwise"].get_ydata())[1] == 5
        assert np.asarray(lines["spsa"].get_xdata())[-1] == last
        assert [tuple(band.get_datalim(axes.transData).intervaly) for band in axes.collections] == [(1, 9), (4, 9)]
    empty = plots(frame(cell()), ["training"])["training"]
    assert "no cell was trained" in "".join(text.get_text() for text in empty.texts).replace("\n", " ")


def test_a_run_of_both_kinds_shows_both():
    """As after a merge."""
    both = frame(trained("pathwise"), cell("spsa"))
    figures = plots(both, traces=TRACES.query("key == @FAST").assign(key=both["key"][0]))
    assert list(figures) == [*plots(frame(cell("spsa"))), "training", "training-time"]
    for name in ("training", "training-time"):
        (axes,) = [ax for part in figures[name].subfigs for ax in part.axes]
        assert [line.get_label() for line in axes.lines] == ["pathwise"]


def test_a_report_orders_training_by_the_time_to_a_target(tmp_path):
    cells = frame(trained("spsa"), trained("pathwise"))
    nothing = pd.DataFrame()
    run = Run(cells, nothing, nothing, TRACES, nothing, {}, plan=tuple(cells["key"]))
    page = write_report(run, tmp_path / "report.html").read_text("utf-8")
    summary = page[page.index('id="ranking"') : page.index('id="cells"')]
    assert "To an objective of 5." in summary and "MSE" not in summary
    assert summary.index("pathwise") < summary.index("spsa") and "5 [5, 10] s" in summary and "30 [20, ∞]" in summary
    table = page[page.index('id="cells"') :]
    assert "adam 0.1" in table and "p-value" not in table, "what no cell has is left out"
