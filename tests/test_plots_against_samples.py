"""Figures against the number of samples and against time: values, intervals, and what has a mark of its own."""

import itertools

import numpy as np
import pytest
from drawn import AGAINST_SAMPLES, axes, band, bars, legend, points
from frames import cell, frame
from hypothesis import given
from hypothesis import strategies as st

from experiments.plots import plot
from experiments.plots.drawing.against_work import pareto_front

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


def test_markers_grow_with_the_number_of_samples_alike_in_all_facets():
    cells = frame(*(cell("spsa", problem, s) for problem, s in (("a", 1), ("a", 10), ("b", 10), ("b", 100))))
    figure = plot(cells, "variance-time")
    sizes = {row: line.get_markersize() for row, line in legend(figure).items() if row.startswith("S = ")}
    assert list(sizes) == ["S = 1", "S = 100"] and sizes["S = 1"] < sizes["S = 100"]
    small, middle, same, large = (
        line.get_markersize() for ax in axes(figure) for line in ax.lines if line.get_marker() != "None"
    )
    assert [small, large] == list(sizes.values()) and small < middle == same < large


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
