"""Evaluations of the cost as the unit of work."""

import pytest
from frames import cell, frame

from experiments.analysis.evaluations import differ_from_samples


def test_the_variance_at_equal_evaluations_carries_its_interval():
    cells = frame(
        cell("exact", total_variance=(0.0, 0.0, 0.0)),
        cell("score-function", num_samples=4, total_variance=(3.0, 2.5, 4.0)),
        cell("arm", num_samples=4, evaluations=8, total_variance=(1.0, 0.5, 2.0)),
        cell("rebar", status="failed", evaluations=None, total_variance=(None, None, None)),
    )
    name = "evaluation_normalized_variance"
    rows = cells[[name, f"{name}_low", f"{name}_high"]].to_numpy().tolist()
    assert rows[:3] == [[0, 0, 0], [12, 10, 16], [8, 4, 16]]
    assert rows[3] == pytest.approx([float("nan")] * 3, nan_ok=True)


def test_evaluations_are_worth_telling_where_an_estimator_spends_others_than_it_has_samples():
    assert not differ_from_samples(frame(cell("exact"), cell("score-function"), cell("pathwise", num_samples=3)))
    assert differ_from_samples(frame(cell("score-function"), cell("arm", evaluations=20)))
    assert not differ_from_samples(frame(cell("arm", status="failed", evaluations=None)))
