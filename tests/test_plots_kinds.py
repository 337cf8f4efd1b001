"""The kinds of figures: their names, which of them a run has, and those of rounding, signals and parameters."""

import json

import numpy as np
import pandas as pd
import pytest
from drawn import axes, bars, legend, points
from frames import along_k, cell, frame, grid

from experiments.commands.plot import FIGURES
from experiments.plots import KINDS, plot, plots

# Names, places and words


def test_the_names_that_need_no_matplotlib_are_those_of_the_figures():
    assert set(KINDS) == set(FIGURES) and len(FIGURES) == 16
    assert {"variance-time", "training-time", "work"} < set(FIGURES)


def test_every_figure_has_a_place_and_words_of_its_own():
    kinds = list(KINDS.values())
    for texts in ({kind.place for kind in kinds}, {kind.title for kind in kinds}, {kind.caption for kind in kinds}):
        assert len(texts) == len(kinds)
    assert all(kind.caption.endswith(".") and not kind.title.endswith(".") for kind in kinds)


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


# Recipes


def test_recipes_show_size_angle_and_noise_of_each_policy_gradient():
    recipes = {"policy-gradient": 1.0, "policy-gradient:advantage=group-mean": 0.75}
    cells = frame(
        *(
            cell(name, "token-policy", 4, scale=(size, size - 0.1, size + 0.1), mean_cosine=(0.5, 0.4, 0.6))
            for name, size in recipes.items()
        )
    )
    size, angle, noise = plot(cells, "recipes").axes
    assert [label.get_text() for label in size.get_yticklabels()] == ["policy-gradient", "group-mean"]
    shown = [np.asarray(ax.lines[-1].get_xdata()).tolist() for ax in (size, angle, noise)]
    assert np.allclose(shown, [[1, 0.75], [60, 60], [np.sqrt(10) / 2] * 2])
    assert "recipes" in plots(cells) and "recipes" not in plots(grid(2, 1))
