"""All figures of a run alike: facets, looks and legend, and what they say where there is little to show."""

import itertools

import numpy as np
import pandas as pd
import pytest
from drawn import AGAINST_SAMPLES, axes, legend, lines, texts
from frames import ESTIMATORS, cell, frame, grid

from experiments.plots import plot
from experiments.plots.drawing.style import looks
from experiments.terminal.labels import labels

EMPTY_STATES = (*AGAINST_SAMPLES, "snr", "signals", "work", "parameters")


def test_one_facet_a_problem():
    for problems in (1, 2, 4, 5):
        titles = [ax.get_title().replace("\n", "") for ax in axes(plot(grid(2, problems, (1,)), "variance"))]
        assert titles == sorted(set(grid(2, problems, (1,))["problem"]))


def test_an_estimator_looks_the_same_in_all_figures_of_a_run():
    cells = grid(5, 2)
    cells.loc[cells["estimator"] == "exact", ["squared_bias", "seconds_per_gradient"]] = np.nan  # drawn in one figure
    cells.loc[cells["estimator"] == "pathwise", "status"] = "failed"  # drawn in none
    seen: dict[str, set] = {}
    named = {short: name for name, short in labels(ESTIMATORS[:5]).items()}
    for kind in AGAINST_SAMPLES:
        figure = plot(cells, kind)
        assert not any(lines(ax, "pathwise") for ax in axes(figure))
        for name, line in legend(figure).items():
            if name in named:
                seen.setdefault(named[name], set()).add((line.get_color(), line.get_marker()))
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
