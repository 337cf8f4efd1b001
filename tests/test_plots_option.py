"""Figures against an option of the problems, and the series of problems that differ in it."""

import numpy as np
import pandas as pd
import pytest
from drawn import axes, bars, legend, points, texts
from frames import K, along_k, cell, frame, grid

from experiments.analysis.series import find_series
from experiments.plots import plot, plots
from experiments.statistics import Interval


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
