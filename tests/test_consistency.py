"""Figures that contradict what is kept beside them, in cells that nobody computes anew."""

from dataclasses import replace

import pandas as pd
import pytest

from experiments.engine import run
from experiments.store import Run, load
from experiments.sweep import sweep_from_flags
from experiments.terminal.progress import silent
from experiments.verifying.consistency import misfits


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Run:
    """Biased and not, without noise, of 64 replicates, and where a support moves; each timed."""
    folder = tmp_path_factory.mktemp("honest")
    asked = {"estimators": ["pathwise", "exact", "spsa", "score-function"], "problems": ["gaussian-cosine:dim=2"]}
    run(sweep_from_flags(**asked, num_samples="4", max_replicates=640, name="own"), folder, silent())
    return load(folder)


def edited(honest: Run, estimator: str, **factors: float | str) -> Run:
    """One cell with figures multiplied, or with texts in place of what was there."""
    cells = honest.cells.copy()
    for name, factor in factors.items():
        old = cells.loc[cells["estimator"] == estimator, name]
        cells.loc[cells["estimator"] == estimator, name] = factor if isinstance(factor, str) else old * factor
    return replace(honest, cells=cells)


def test_an_honest_run_does_not_contradict_itself(honest):
    assert set(honest.cells["status"]) == {"done"} and misfits(honest) == []


ARMS = ("", "_low", "_high")


@pytest.mark.parametrize(
    ("factors", "told"),
    [
        ({"total_variance": 0.98}, "total_variance does not follow from its groups"),
        ({f"total_variance{arm}": 0.98 for arm in ARMS}, "total_variance does not follow from its groups"),
        ({"mse_high": 0.99}, "mse does not follow from its groups"),
        ({"p_value": 1e-9}, "the verdict undetermined does not follow from its p-value"),
        ({"verdict": "biased"}, "the verdict biased does not follow from its p-value"),
        ({"seconds_per_gradient": 0.9}, "seconds_per_gradient is not the median of its rounds"),
        ({"work_normalized_mse": 0.9}, "work_normalized_mse is not mse times its time"),
        (
            {f"work_normalized_variance{arm}": 0.9 for arm in ARMS},
            "work_normalized_variance is not total_variance times",
        ),
    ],
)
def test_a_figure_that_was_edited_alone_contradicts_the_others(honest, factors, told):
    first, *_ = found = misfits(edited(honest, "pathwise", **factors))
    assert first[0]["estimator"] == "pathwise" and first[1].startswith(told), found


def test_what_a_figure_follows_from_has_to_be_there(honest):
    key = honest.cells.query("estimator == 'pathwise'")["key"].item()
    for name in ("leave_one_out", "timings"):
        kept = getattr(honest, name)
        assert misfits(replace(honest, **{name: kept.loc[kept["key"] != key]})), name
    empty = pd.DataFrame(columns=honest.timings.columns)
    assert len(misfits(replace(honest, timings=empty))) == len(honest.cells)
