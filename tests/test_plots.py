"""The figures: what they show of the cells, and whether they can be read."""

import io
import itertools
import json
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from frames import ESTIMATORS, PROBLEMS, cell, frame, grid
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.analysis.series import find_series
from experiments.commands.plot import FIGURES
from experiments.plots import KINDS, plot, plots, save_plots
from experiments.plots.drawing.against_work import pareto_front
from experiments.plots.drawing.style import looks, wrap
from experiments.statistics import Interval
from experiments.terminal.numbers import tick

AGAINST_SAMPLES = ("variance", "bias", "variance-time", "variance-evaluations", "rates")
EMPTY_STATES = (*AGAINST_SAMPLES, "snr", "signals", "work", "parameters")


def axes(figure: Figure) -> list[Axes]:
    return figure.subfigs[0].axes


def lines(ax: Axes, label: str) -> list[Line2D]:
    return [line for line in ax.lines if line.get_label() == label]


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    return [tuple(point) for line in lines(ax, label) for point in np.asarray(line.get_xydata())]


def bars(ax: Axes) -> list[np.ndarray]:
    """The ends of all intervals, [2, 2] each."""
    lines = [collection for collection in ax.collections if isinstance(collection, LineCollection)]
    return [np.asarray(segment) for collection in lines for segment in collection.get_segments()]


def band(ax: Axes) -> set[tuple[float, float]]:
    """The corners of the bands between intervals."""
    areas = [collection for collection in ax.collections if not isinstance(collection, LineCollection)]
    return {(float(x), float(y)) for area in areas for path in area.get_paths() for x, y in np.asarray(path.vertices)}


def legend(figure: Figure) -> dict[str, Line2D]:
    found = figure.subfigs[1].legends[0]
    labels = [text.get_text().replace("\n", "") for text in found.get_texts()]
    return dict(zip(labels, found.get_lines(), strict=True))


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))  # pyright: ignore


# What is shown


def test_variance_shows_value_and_interval_at_each_number_of_samples():
    cells = frame(*(cell(num_samples=s, total_variance=(5 / s, 4 / s, 7 / s)) for s in (100, 1, 10)))
    (ax,) = axes(plot(cells, "variance"))
    assert points(ax, "pathwise") == [(1, 5.0), (10, 0.5), (100, 0.05)]
    assert np.allclose(bars(ax), [[(1, 4), (1, 7)], [(10, 0.4), (10, 0.7)], [(100, 0.04), (100, 0.07)]], rtol=1e-12)
    assert band(ax) == {(s, end / s) for s in (1, 10, 100) for end in (4, 7)}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_bias_is_relative_to_the_squared_norm_of_the_gradient():
    cells = frame(cell(squared_bias=(0.8, -0.4, 1.2), gradient_norm=2.0), cell("exact", squared_bias=(0.0, 0.0, 0.0)))
    (ax,) = axes(plot(cells, "bias"))
    assert [y for _, y in points(ax, "pathwise")] == pytest.approx([0.2], rel=1e-12)
    assert np.allclose(bars(ax)[1][:, 1], [-0.1, 0.3], rtol=1e-12)
    assert {y for _, y in points(ax, "no bias")} == {0}
    low, high = ax.get_ylim()
    assert low < -0.1 and high > 0.3


def test_bias_of_a_zero_gradient_is_absolute_and_says_so():
    (ax,) = axes(plot(frame(cell(squared_bias=(0.8, -0.4, 1.2), gradient_norm=0.0)), "bias"))
    assert [y for _, y in points(ax, "pathwise")] == [0.8]
    assert "absolute" in ax.get_title()


def test_variance_time_shows_both_intervals():
    cells = frame(cell(total_variance=(5.0, 4.0, 7.0), seconds_per_gradient=(3e-4, 2e-4, 5e-4)))
    (ax,) = axes(plot(cells, "variance-time"))
    assert points(ax, "pathwise") == [(3e-4, 5.0)]
    assert np.allclose(bars(ax), [[(2e-4, 5.0), (5e-4, 5.0)], [(3e-4, 4.0), (3e-4, 7.0)]], rtol=1e-12)


def test_variance_evaluations_has_the_calls_of_the_cost_on_its_x_axis():
    cells = frame(*(cell("arm", num_samples=s, evaluations=2 * s, total_variance=(6 / s,) * 3) for s in (1, 10)))
    (ax,) = axes(plot(cells, "variance-evaluations"))
    assert points(ax, "arm") == [(2, 6.0), (20, 0.6)]


@pytest.mark.parametrize("kind", ["variance", "variance-time"])
def test_zero_variance_has_a_lane_of_its_own_below_everything(kind: str):
    cells = frame(cell("exact", total_variance=(0.0, 0.0, 0.0)), cell(total_variance=(1e-9, 1e-12, 2e-9)))
    (ax,) = axes(plot(cells, kind))
    ((_, zero),) = points(ax, "exact")
    low, high = ax.get_ylim()
    assert low < zero < 1e-12 < 2e-9 < high
    labels = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))
    assert labels.pop(zero) == "variance 0"
    assert labels and min(labels) > zero


def test_zero_variance_alone_can_be_drawn():
    for kind in AGAINST_SAMPLES:
        (ax,) = axes(plot(frame(cell("exact", total_variance=(0.0, 0.0, 0.0), squared_bias=(0.0, 0.0, 0.0))), kind))
        assert len(points(ax, "exact")) == 1


def test_an_interval_without_end_runs_to_the_edge_and_squeezes_nothing():
    cells = frame(cell("exact", total_variance=(0.0, 0.0, np.inf)), cell(total_variance=(1.0, 0.0, 2.0)))
    (ax,) = axes(plot(cells, "variance"))
    open_above, open_below = (segment[:, 1] for segment in bars(ax))
    low, high = ax.get_ylim()
    assert open_above[1] == pytest.approx(high) and open_below[0] == pytest.approx(open_above[0])
    assert high / low < 1e3


@pytest.mark.parametrize("kind", AGAINST_SAMPLES)
def test_biased_cells_and_no_others_have_a_ring(kind: str):
    cells = frame(*(cell(num_samples=s, verdict=v) for s, v in ((1, "unbiased"), (10, "biased"), (100, None))))
    figure = plot(cells, kind)
    (ax,) = axes(figure)
    assert points(ax, "biased") == points(ax, "pathwise")[1:2]
    assert "found to be biased" in legend(figure)
    assert "found to be biased" not in legend(plot(cells.query("verdict != 'biased'"), kind))


def test_one_facet_a_problem():
    for problems in (1, 2, 4, 5):
        titles = [ax.get_title().replace("\n", "") for ax in axes(plot(grid(2, problems, (1,)), "variance"))]
        assert titles == sorted(set(grid(2, problems, (1,))["problem"]))


def test_the_names_that_need_no_matplotlib_are_those_of_the_figures():
    assert set(KINDS) == set(FIGURES) and len(FIGURES) == 14
    assert {"variance-time", "training-time", "work"} < set(FIGURES)


def test_every_figure_has_a_place_and_words_of_its_own():
    kinds = list(KINDS.values())
    for texts in ({kind.place for kind in kinds}, {kind.title for kind in kinds}, {kind.caption for kind in kinds}):
        assert len(texts) == len(kinds)
    assert all(kind.caption.endswith(".") and not kind.title.endswith(".") for kind in kinds)


def test_an_estimator_looks_the_same_in_all_figures_of_a_run():
    cells = grid(5, 2)
    cells.loc[cells["estimator"] == "exact", ["squared_bias", "seconds_per_gradient"]] = np.nan  # drawn in one figure
    cells.loc[cells["estimator"] == "pathwise", "status"] = "failed"  # drawn in none
    seen: dict[str, set] = {}
    for kind in AGAINST_SAMPLES:
        figure = plot(cells, kind)
        assert not any(lines(ax, "pathwise") for ax in axes(figure))
        for name, line in legend(figure).items():
            if name in ESTIMATORS:
                seen.setdefault(name, set()).add((line.get_color(), line.get_marker()))
        for ax, name in itertools.product(axes(figure), seen):
            assert {line.get_color() for line in lines(ax, name)} <= {colour for colour, _ in seen[name]}
    assert {len(look) for look in seen.values()} == {1}
    assert len(set.union(*seen.values())) == len(seen) == 4


def test_ninety_estimators_are_told_apart():
    for others in ([], ["arm"], ["a", "z", "stratified", *map(str, range(9))]):
        known = looks(["score-function", "pathwise", *others], ["", "float64"])
        assert (known["pathwise", ""].colour, known["score-function", "float64"].colour) == ("#0072b2", "#d55e00")
        assert len({(look.colour, look.marker, look.condition) for look in known.values()}) == len(known)
    found = looks((f"estimator-{i}" for i in range(90)), [""])
    assert len({(look.colour, look.marker) for look in found.values()}) == 90


def test_devices_are_told_apart_and_explained():
    cells = frame(
        cell(device="cpu", device_name="Xeon"),
        cell(device="cuda", device_name="H100"),
        cell(num_samples=20, device="cpu", device_name=None),
    )
    rows = legend(plot(cells, "variance"))
    assert set(rows) == {"pathwise", "cpu", "cuda"}
    assert rows["cpu"].get_linestyle() != rows["cuda"].get_linestyle()
    assert rows["cpu"].get_fillstyle() != rows["cuda"].get_fillstyle()
    assert "cpu" not in legend(plot(cells.query("device == 'cpu'"), "variance"))


def test_what_cannot_be_drawn_is_counted():
    cells = frame(cell(), cell(num_samples=20, seconds_per_gradient=np.nan), cell(num_samples=30, status="failed"))
    (note,) = (row for row in legend(plot(cells, "variance-time")) if row.startswith("not drawn"))
    assert "1 of 2 cells" in note
    assert not any(row.startswith("not drawn") for row in legend(plot(cells, "variance")))


@pytest.mark.parametrize("kind", EMPTY_STATES)
def test_nothing_to_draw_is_said(kind: str):
    for cells in (pd.DataFrame(), frame(), frame(cell(status="failed"), cell(status="skipped"))):
        assert "no cell is done" in texts(plot(cells, kind)).replace("\n", " ")


@pytest.mark.parametrize("kind", AGAINST_SAMPLES)
def test_what_is_missing_is_named(kind: str):
    cells = frame(cell(total_variance=np.nan, squared_bias=np.nan))
    assert "without a finite" in texts(plot(cells, kind, title="A title")).replace("\n", "")


def test_markers_grow_with_the_number_of_samples_alike_in_all_facets():
    cells = frame(*(cell("spsa", problem, s) for problem, s in (("a", 1), ("a", 10), ("b", 10), ("b", 100))))
    figure = plot(cells, "variance-time")
    sizes = {row: line.get_markersize() for row, line in legend(figure).items() if row.startswith("S = ")}
    assert list(sizes) == ["S = 1", "S = 100"] and sizes["S = 1"] < sizes["S = 100"]
    small, middle, same, large = (
        line.get_markersize() for ax in axes(figure) for line in ax.lines if line.get_marker() != "None"
    )
    assert [small, large] == list(sizes.values()) and small < middle == same < large


# Against an option of the problems

K = (0.1, 1.0, 10.0, 100.0)


def along_k(name: str = "gaussian-quadratic:dim=1", **known) -> list[dict]:
    """A cell for each k; the option's default, 0, stands in no spec."""
    return [
        cell("pathwise", f"{name},k={k:g}", 1, key=f"{name} {k}", total_variance=(5 * k, 4 * k, 6 * k), **known)
        for k in K
    ]


def parameters_of(cells: pd.DataFrame, **variances: float) -> pd.DataFrame:
    rows = [
        {"key": key, "parameter": name, "index": 0, "variance": v, "variance_low": v / 2, "variance_high": 2 * v}
        for key in cells["key"]
        for name, v in variances.items()
    ]
    return pd.DataFrame(rows)


def test_series_are_problems_that_differ_in_one_number():
    problems = [f"gaussian-quadratic:dim=2,k={k}" for k in (3, 1)] + ["gaussian-quadratic:dim=2"]
    (series,) = find_series([*problems, "gaussian-cosine", "gaussian-cosine:k=2", "of-a-plugin:k=3"])
    assert (series.name, series.option) == ("gaussian-quadratic:dim=2", "k")
    assert list(series.levels.items()) == [(problems[2], 0.0), (problems[1], 1.0), (problems[0], 3.0)]
    assert find_series(problems[:2]) == []


def test_of_two_options_the_one_with_more_values_is_the_axis():
    problems = [f"gaussian-quadratic:dim={dim},k={k}" for dim in (2, 3, 4) for k in (1, 2, 3, 4)]
    found = find_series(problems)
    assert [series.option for series in found] == ["k"] * 3
    assert [series.name for series in found] == [f"gaussian-quadratic:dim={dim}" for dim in (2, 3, 4)]


def test_words_set_series_apart_and_plugins_are_read_from_their_specs():
    problems = [f"mine:kind={kind},scale={scale}" for kind in ("a", "b") for scale in ("1e-3", "1", "1e3", "true")]
    found = find_series(problems)
    assert [(series.name, list(series.levels.values())) for series in found] == [
        ("mine:kind=a", [1e-3, 1, 1e3]),
        ("mine:kind=b", [1e-3, 1, 1e3]),
    ]


def test_option_shows_the_total_variance_and_the_exact_line():
    (ax,) = axes(figure := plot(frame(*along_k()), "option"))
    assert np.allclose(points(ax, "pathwise"), [(k, 5 * k) for k in K], rtol=1e-9)
    assert np.allclose([bar[:, 1] for bar in bars(ax)], [[4 * k, 6 * k] for k in K])
    # Pathwise, σ = 1, S = 1: Var = 4 + 4 (1 − k)² + 8.
    assert np.allclose(points(ax, "exact variance"), [(k, 12 + 4 * (1 - k) ** 2) for k in K], rtol=1e-9)
    assert "exact variance" in legend(figure) and figure.subfigs[0]._supxlabel.get_text() == "k"  # pyright: ignore
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_option_leaves_out_numbers_of_samples_at_which_it_does_not_vary():
    alone = cell("pathwise", f"gaussian-quadratic:dim=1,k={K[0]}", 100)
    (ax,) = axes(plot(frame(*along_k(), alone), "option"))
    assert [x for x, _ in points(ax, "pathwise")] == list(K)


def test_option_shows_parameters_one_by_one_where_they_have_one_entry():
    cells = frame(*along_k())
    loc, log_scale = axes(plots(cells, ["option"], parameters_of(cells, loc=4.0, log_scale=9.0))["option"])
    titles = [ax.get_title().replace("\n", " ") for ax in (loc, log_scale)]
    assert [title.rpartition(", ")[2] for title in titles] == ["variance of loc", "variance of log_scale"]
    assert points(loc, "pathwise") == [(k, 4.0) for k in K]
    assert np.allclose(points(loc, "exact variance"), [(k, 4.0) for k in K], rtol=1e-9)
    assert np.allclose(points(log_scale, "exact variance"), [(k, 8 + 4 * (1 - k) ** 2) for k in K], rtol=1e-9)
    several = pd.concat([parameters_of(cells, loc=4.0), parameters_of(cells, loc=5.0)])
    (ax,) = axes(plots(cells, ["option"], several)["option"])
    assert ax.get_title().endswith("total variance")


def test_option_shows_the_time_where_it_depends_on_the_option():
    slow = [row | cell(seconds_per_gradient=(s,) * 3) | row for row, s in zip(along_k(), (1, 1, 1, 9), strict=True)]
    for row, s in zip(slow, (1.0, 1.0, 1.0, 9.0), strict=True):
        row |= dict.fromkeys(Interval.columns("seconds_per_gradient"), s) | {"verdict": "biased"}
    variance, time = axes(plot(frame(*slow), "option"))
    assert [y for _, y in points(time, "pathwise")] == [1, 1, 1, 9]
    assert points(time, "exact variance") == points(time, "biased") == [] and len(points(variance, "biased")) == 4


def test_each_number_of_samples_has_a_panel():
    many = [row | {"num_samples": 7, "key": row["key"] + "7", "total_variance": 3.0} for row in along_k()]
    one, seven = axes(plot(frame(*along_k(), *many), "option"))
    assert one.get_title().endswith("S = 1") and seven.get_title().endswith("S = 7")
    assert [y for _, y in points(seven, "pathwise")] == [3.0] * 4


def test_an_option_that_may_be_0_or_negative_has_a_linear_axis():
    cells = [cell("pathwise", f"gaussian-quadratic:loc={loc}", 1) for loc in (-2, 0, 3)]
    (ax,) = axes(plot(frame(*cells), "option"))
    assert ax.get_xscale() == "linear" and [x for x, _ in points(ax, "pathwise")] == [-2, 0, 3]


@pytest.mark.parametrize("kind", ["option", "rounding", "range"])
def test_what_has_no_option_says_so(kind: str):
    for cells in (pd.DataFrame(), frame(), grid(2, 3)):
        assert "nothing to draw" in texts(plot(cells, kind, title="A title")).replace("\n", " ")


# Rates


def test_rates_name_the_exponent_with_its_standard_error():
    samples = (2, 8, 32, 128)
    rows = [
        cell("spsa", num_samples=s, total_variance=tuple(x * s**-2.0 for x in (1, 0.98, 1.02))) for s in samples
    ] + [cell("pathwise", num_samples=s, total_variance=tuple(x / s for x in (1 + s % 5, 1, 6))) for s in samples]
    (ax,) = axes(figure := plot(frame(*rows), "rates"))
    found = {text.get_text() for text in ax.get_legend().get_texts()}  # pyright: ignore
    assert any(text.startswith("\N{MINUS SIGN}2.000 ± 0.00") for text in found) and len(found) == 2
    assert not any("*" in text for text in found) and not any("no power law" in row for row in legend(figure))
    assert len(points(ax, "fit")) == 8


def test_a_curve_that_is_no_power_law_is_marked():
    values = {2: 1.0, 8: 0.5, 32: 0.01, 128: 0.009}
    rows = [cell(num_samples=s, total_variance=(v, 0.99 * v, 1.01 * v)) for s, v in values.items()]
    (ax,) = axes(figure := plot(frame(*rows), "rates"))
    (text,) = (text.get_text() for text in ax.get_legend().get_texts())  # pyright: ignore
    assert text.endswith("*") and any("no power law" in row for row in legend(figure))


# Rounding


def rounding_cells(**more: float) -> pd.DataFrame:
    kept = {"smallest_gradient": 1e-3, "largest_gradient": 1e3, "median_relative_error": 1e-7}
    kept |= {"largest_relative_error": 1e-5, "overflows": 0.0, "nans": 0.0, "underflows": 0.0} | more
    return frame(
        *(
            cell("pathwise", f"log-parameterization:dim=1,scale={scale}", 1, diagnostics=json.dumps(kept))
            for scale in ("1e-06", "0.001", "1000")
        )
    )


def test_rounding_shows_median_and_largest_error_and_range_both_ends():
    for kind, value, ends in (("rounding", 1e-7, (1e-7, 1e-5)), ("range", 1e3, (1e-3, 1e3))):
        (ax,) = axes(plot(rounding_cells(), kind))
        assert np.allclose(points(ax, "pathwise"), [(1e-6, value), (1e-3, value), (1e3, value)], rtol=1e-9)
        assert all(sorted(bar[:, 1]) == pytest.approx(ends) for bar in bars(ax))
        assert ax.get_title().replace("\n", "") == "log-parameterization:dim=1"


@pytest.mark.parametrize("lost", ["overflows", "nans", "underflows"])
def test_what_leaves_the_range_has_a_lane_of_its_own(lost: str):
    for kind, least, most in (("rounding", 1e-7, 1e-5), ("range", 1e-3, 1e3)):
        (ax,) = axes(figure := plot(rounding_cells(**{lost: 2.0}), kind))
        low, high = ax.get_ylim()
        (y,) = {y for _, y in points(ax, lost)}
        assert len(points(ax, lost)) == 3
        assert low < y < least if lost == "underflows" else most < y < high
        assert sum("some gradients" in row for row in legend(figure)) == 1


def test_cells_whose_gradients_all_leave_the_range_still_have_their_marks():
    cells = rounding_cells(nans=5.0)
    cells["diagnostics"] = ['{"overflows": 0, "nans": 5, "underflows": 0}'] * 3
    (ax,) = axes(plot(cells, "rounding"))
    assert len(points(ax, "nans")) == 3


# Which figures a run has


def test_a_run_has_the_figures_that_have_something_to_say():
    assert list(plots(grid(2, 1))) == ["variance", "bias", "variance-time"]
    assert list(plots(grid(2, 1).assign(seconds_per_gradient=np.nan))) == ["variance", "bias"]
    costly = frame(cell(), cell("arm", num_samples=10, evaluations=20), cell(num_samples=20))
    assert list(plots(costly)) == ["variance", "bias", "variance-time", "variance-evaluations"]
    assert list(plots(grid(2, 1, (1, 4, 16, 64)))) == ["rates", "bias", "variance-time"]
    assert list(plots(frame(*along_k()))) == ["option"]
    assert list(plots(rounding_cells())) == ["option", "rounding", "range"]
    both = frame(*along_k(), *(row | {"num_samples": 7, "evaluations": 7} for row in along_k()))
    assert list(plots(both)) == ["option", "variance", "bias", "variance-time"]
    assert list(plots(frame(*along_k(), cell()))) == ["option", "variance", "bias", "variance-time"]
    for nothing in (pd.DataFrame(), frame(), frame(cell(status="failed"))):
        assert list(plots(nothing)) == ["variance", "bias", "variance-time"]
    assert list(plots(grid(2, 1), ["option"])) == ["option"], "what is asked for is drawn"


# Signal to noise, work, parameters


def test_signal_to_noise_shows_value_and_interval_and_counts_what_has_none():
    cells = frame(*(cell(num_samples=s, snr=(s, s / 2, 2 * s)) for s in (1, 10)), cell("exact"))
    (ax,) = axes(figure := plot(cells, "snr"))
    assert points(ax, "pathwise") == [(1, 1.0), (10, 10.0)]
    assert np.allclose([bar[:, 1] for bar in bars(ax)], [(0.5, 2), (5, 20)])
    assert any("1 of 3 cells" in row for row in legend(figure))


def numbers_of(figure: Figure) -> dict[str, list[str]]:
    """The rows of a map of work, best first."""
    (ax,) = figure.axes
    names = [label.get_text().replace("\n", "") for label in ax.get_yticklabels()]
    shown = [text.get_text() for text in ax.texts]
    width = len(ax.get_xticks())
    return {name: shown[i * width : (i + 1) * width] for i, name in enumerate(names)}


def worked(estimator: str, problem: str, mse: float | None, **known) -> dict:
    return cell(estimator, problem, work_normalized_mse=(mse,) * 3, work_normalized_variance=(7.0,) * 3, **known)


def test_the_map_of_work_compares_with_the_best_of_each_problem_at_the_best_number_of_samples():
    cells = frame(
        worked("pathwise", "a", 2.0),
        worked("pathwise", "a", 1e9, num_samples=3),
        worked("pathwise", "b", 40.0, verdict="biased"),
        worked("spsa", "a", 5.0),
        worked("spsa", "b", 1.0),
        worked("arm", "b", 9700.0),
        worked("exact", "a", 1e-30),
        worked("dreg", "a", 1e-9, target="bound of 10 samples"),
    )
    figure = plot(cells, "work")
    assert "at the best S" in texts(figure) and "at S = 3" in texts(plot(cells.query("num_samples == 3"), "work"))
    assert numbers_of(figure) == {"spsa": ["2.5", "1.0"], "pathwise": ["1.0", "(40)"], "arm": ["\N{EN DASH}", "10⁴"]}
    assert "( ): biased" in texts(figure) and "not measured" in texts(figure)
    (mesh,) = figure.axes[0].collections
    assert np.allclose(
        np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan)[:2], np.log10([[2.5, 1], [1, 40]]), equal_nan=True
    )


def test_the_map_of_work_is_of_variances_where_no_cell_has_a_reference():
    cells = frame(worked("pathwise", "a", None), worked("spsa", "a", None), worked("spsa", "b", 1.0))
    (ax,) = (figure := plot(cells, "work")).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a (variance × time)", "b"]
    assert numbers_of(figure)["pathwise"][0] == numbers_of(figure)["spsa"][0] == "1.0"


@pytest.mark.parametrize(("estimators", "problems"), [(3, 1), (16, 7)])
def test_no_label_of_the_map_of_work_is_cut_or_covers_another(estimators: int, problems: int):
    figure = plot(grid(estimators, problems, (1, 50)), "work", title="A title of a figure")
    FigureCanvasAgg(figure).draw()
    (ax,) = figure.axes
    inside = figure.bbox.padded(1)
    rows = [label.get_window_extent() for label in ax.get_yticklabels()]
    others = [label.get_window_extent() for label in ax.get_xticklabels()] + [figure._suptitle.get_window_extent()]  # pyright: ignore
    assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in rows + others)
    assert not any(a.padded(-0.5).overlaps(b) for a, b in itertools.combinations(rows, 2))
    assert not any("\n" in label.get_text() for label in ax.get_xticklabels()), "lines at an angle cross the next label"


def test_parameters_are_shown_entry_by_entry_at_the_largest_number_of_samples():
    cells = frame(cell(num_samples=2), cell(num_samples=8))
    rows = [
        {"key": key, "parameter": name, "index": i, "variance": v, "variance_low": v / 2, "variance_high": 2 * v}
        for key, factor in zip(cells["key"], (100.0, 1.0), strict=True)
        for name, values in {"loc": (1.0, 2.0), "log_scale": (3.0,)}.items()
        for i, v in enumerate(factor * np.array(values))
    ]
    (ax,) = axes(plots(cells, ["parameters"], pd.DataFrame(rows))["parameters"])
    assert points(ax, "pathwise") == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert np.allclose([bar[:, 1] for bar in bars(ax)], [(0.5, 2), (1, 4), (1.5, 6)])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["loc [2]", "log_scale"]
    assert ax.get_title() == "gaussian-quadratic, S = 8"


def test_each_parameter_has_a_panel_of_its_signal():
    cells = frame(*(cell(num_samples=s, reference="none") for s in (1, 4, 16, 64)))
    rows = [
        {"key": key, "parameter": name, "snr": snr, "snr_low": snr / 2, "snr_high": 2 * snr}
        for name, scale in (("weight", 1.0), ("prior_mean", 10.0))
        for key, snr in zip(cells["key"], (scale, 2 * scale, 4 * scale, 8 * scale), strict=True)
    ]
    figures = plots(cells, signals=pd.DataFrame(rows))
    assert list(figures) == ["rates", "signals", "variance-time"], "without a reference there is no bias to draw"
    weight, prior = axes(figures["signals"])
    assert [weight.get_title(), prior.get_title()] == [f"gaussian-quadratic\n{n}" for n in ("weight", "prior_mean")]
    assert points(prior, "pathwise") == [(1, 10), (4, 20), (16, 40), (64, 80)]
    assert np.allclose([bar[:, 1] for bar in bars(weight)], [(0.5, 2), (1, 4), (2, 8), (4, 16)])


# The x axis and the panels that a user asks for


def test_variance_against_another_x():
    cells = frame(*along_k())
    for x, kind in (("seconds", "variance-time"), ("evaluations", "variance-evaluations"), ("num_samples", "variance")):
        assert list(plots(cells, x=x)) == [kind]
    both = [f"gaussian-quadratic:dim={dim},k={k}" for dim in (2, 3, 4) for k in (1, 2, 3, 4)]
    cells = frame(*(cell(problem=name, key=name) for name in both))
    for x in ("dim", "k"):
        figure = plots(cells, ["variance"], x=x)["option"]
        assert figure.subfigs[0]._supxlabel.get_text() == x  # pyright: ignore
    with pytest.raises(
        ValueError, match=r"'loc' does not take two values .*; x may be evaluations, seconds, num_samples, dim, k"
    ):
        plots(cells, x="loc")
    two = frame(*(cell(problem=f"gaussian-quadratic:dim={dim}", key=str(dim)) for dim in (2, 8)))
    assert len(points(axes(plots(two, x="dim")["option"])[0], "pathwise")) == 2, "two values, where they are asked for"
    with pytest.raises(ValueError, match="leave the kind out"):
        plots(cells, ["bias"], x="k")


def test_panels_of_estimators_have_problems_as_curves():
    (pathwise, score) = axes(plots(grid(3, 2).query("estimator != 'exact'"), facet="estimator")["variance"])
    assert [pathwise.get_title(), score.get_title()] == ["pathwise", "score-function"]
    assert all(len(points(pathwise, problem)) == 3 for problem in PROBLEMS[:2])


def test_panels_come_in_the_order_of_their_numbers():
    cells = frame(*(cell(problem=f"gaussian-quadratic:dim={dim}", key=str(dim)) for dim in (2, 16, 4)))
    titles = [ax.get_title().replace("\n", "") for ax in axes(plots(cells, ["variance"])["variance"])]
    assert titles == [f"gaussian-quadratic:dim={dim}" for dim in (2, 4, 16)]


def test_panels_of_devices_and_what_cannot_be_a_panel():
    cells = frame(cell(device="cpu"), cell(device="cuda"))
    titles = {ax.get_title().replace("\n", "") for ax in axes(plots(cells, ["bias"], facet="device")["bias"])}
    assert titles == {f"gaussian-quadratic, device = {name}" for name in ("cpu", "cuda")}
    for kinds, facet, said in ((["work"], "device", "not work"), (["variance-time"], "estimator", "not variance-time")):
        with pytest.raises(ValueError, match=said):
            plots(cells, kinds, facet=facet)
    with pytest.raises(ValueError, match="unknown facet 'devise'; did you mean 'device'"):
        plots(cells, facet="devise")


# The Pareto front


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_pareto_front_is_what_no_other_beats(pairs: list[tuple[int, int]]):
    seconds, variance = np.array(pairs, float).T
    front = {pairs[i] for i in pareto_front(seconds, variance)}
    beaten = {p for p, q in itertools.product(pairs, pairs) if q != p and q[0] <= p[0] and q[1] <= p[1]}
    assert front == set(pairs) - beaten


def test_pareto_front_leaves_out_exact_and_biased():
    def at(seconds: float, variance: float) -> dict:
        return {"total_variance": (variance,) * 3, "seconds_per_gradient": (seconds,) * 3}

    cells = frame(
        cell("exact", **at(1e-6, 1e-3)),
        cell("gumbel-softmax", verdict="biased", **at(2e-6, 1e-2)),
        cell("pathwise", **at(1e-5, 1.0)),
        cell("score-function", **at(1e-4, 0.1)),
        cell("spsa", **at(1e-3, 5.0)),
    )
    (ax,) = axes(plot(cells, "variance-time"))
    corners = set(points(ax, "Pareto front"))
    assert {(1e-5, 1.0), (1e-4, 0.1)} <= corners
    assert min(x for x, _ in corners) == 1e-5 and min(y for _, y in corners) == 0.1


# Whether it can be read


@pytest.mark.parametrize("kind", AGAINST_SAMPLES)
@pytest.mark.parametrize(("estimators", "problems"), [(3, 1), (16, 1), (5, 2), (16, 3), (3, 7)])
def test_no_text_overlaps_or_is_cut(kind: str, estimators: int, problems: int):
    figure = plot(grid(estimators, problems, (1, 50)), kind, title="A title of a figure")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    upper, lower = figure.subfigs
    shown = [figure._suptitle, upper._supxlabel, upper._supylabel, *lower.legends[0].get_texts()]  # pyright: ignore
    for ax in upper.axes:
        shown += [ax.title, *ax.get_xticklabels(), *ax.get_yticklabels()]
    boxes = [text.get_window_extent() for text in shown if text.get_text()] + [ax.bbox for ax in upper.axes]
    inside = figure.bbox.padded(1)
    assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in boxes)
    touching = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.padded(-0.5).overlaps(b)]
    assert touching == []


def test_the_figure_is_as_wide_as_a_paper_and_its_letters_are_not_tiny():
    for problems, width in ((1, 3.5), (3, 7.1)):
        figure = plot(grid(3, problems), "variance")
        assert figure.get_figwidth() == width
        letters = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]  # pyright: ignore
        assert min(text.get_fontsize() for text in letters) >= 6  # pyright: ignore


@given(st.text("abc=,:(.-_", max_size=60), st.integers(4, 30))
def test_wrapping_loses_nothing_and_keeps_the_width(spec: str, width: int):
    lines = wrap(spec, width, max_lines=100).split("\n")
    assert "".join(lines) == spec
    assert max(map(len, lines)) <= width


def test_an_endless_spec_is_shortened_visibly():
    assert wrap("x" * 1000, 40).endswith("…")
    assert wrap("x" * 1000, 40).count("\n") == 5


@pytest.mark.parametrize(
    ("value", "label"),
    [(0, "0"), (1, "1"), (20, "20"), (1e-3, "10⁻³"), (3e5, "3·10⁵"), (9.7e5, "10⁶"), (-1e-12, "\N{MINUS SIGN}10⁻¹²")],
)
def test_tick_labels(value: float, label: str):
    assert tick(value) == label


def test_dollar_signs_in_a_spec_are_no_formula():
    figure = plot(frame(cell(r"mine:cost=$\frac{$", "theirs:price=$_$")), "variance", title="5 $ a _$ piece")
    figure.savefig(io.BytesIO(), format="png")
    assert r"mine:cost=$\frac{$" in legend(figure)


# Settings and files


def test_settings_neither_leak_out_nor_in():
    cells = grid(3, 2, (1, 10))
    expected = io.BytesIO()
    plot(cells, "bias").savefig(expected, format="png", dpi=60)
    with matplotlib.rc_context({"font.size": 30.0, "lines.linewidth": 9.0, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        figure = plot(cells, "bias")
        assert dict(matplotlib.rcParams) == before
    found = io.BytesIO()
    figure.savefig(found, format="png", dpi=60)
    assert found.getvalue() == expected.getvalue()


def test_save_plots_writes_every_kind(tmp_path: Path):
    for format, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        paths = save_plots(plots(grid(2, 1)), tmp_path / "new" / format, format)
        assert [path.name for path in paths] == [f"{kind}.{format}" for kind in ("variance", "bias", "variance-time")]
        assert all(path.read_bytes().startswith(magic) for path in paths)
        assert sorted(paths[0].parent.iterdir()) == sorted(paths)


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_same_cells_same_bytes(tmp_path: Path, format: str):
    first, second = (save_plots(plots(grid(2, 1), ["bias"]), tmp_path / name, format)[0].read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("kinds", "format", "message"),
    [
        (["variance", "varince"], "png", "unknown kind of figure 'varince'; did you mean 'variance'?"),
        (["variance"], "jpg", "unknown format 'jpg'; did you mean 'png'?"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(
    tmp_path: Path, kinds: list[str], format: str, message: str
):
    with pytest.raises(ValueError, match="unknown") as error:
        save_plots(plots(grid(2, 1), kinds), tmp_path / "new", format)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="did you mean 'bias'"):
        plot(grid(2, 1), "bais")


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path: Path):
    (path,) = save_plots(plots(grid(2, 1), ["bias"]), tmp_path)
    before = path.read_bytes()
    with path.open("rb") as reader:
        save_plots(plots(grid(3, 1), ["bias"]), tmp_path)
        assert reader.read() == before != path.read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (path,) = save_plots(plots(grid(2, 1), ["bias"]), tmp_path)
    before = path.read_bytes()

    def fail(self: Figure, file: Path, **_: object) -> None:
        file.write_bytes(b"half of")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="no space"):
        save_plots(plots(grid(3, 1), ["bias"]), tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
