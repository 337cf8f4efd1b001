"""`gradmark show`, `plot` and `report` of a finished run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import ESTIMATOR, TINY, plugin
from processes import own_tables

from experiments.engine import run
from experiments.store import Store, load
from experiments.sweep import sweep_from_flags
from experiments.terminal.progress import narrator


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one cell, which no test changes."""
    folder = tmp_path_factory.mktemp("finished") / "tiny"
    flags = {"problems": ["gaussian-quadratic:dim=2"], "num_samples": "2", "max_replicates": 640}
    with own_tables(), narrator() as progress:
        assert run(sweep_from_flags(estimators=["pathwise"], **flags), folder, progress).done == 1
    return folder


def test_variance_at_equal_evaluations_is_shown_where_evaluations_differ(gradmark):
    _, out, _ = gradmark("run", "-e", "pathwise", *TINY)
    assert "evaluations" not in out
    _, out, _ = gradmark("run", "-e", "finite-differences", *TINY)
    assert "variance × evaluations [95 %]" in out
    assert "variance-evaluations.png" in {path.name for path in Path("results/tiny/plots").iterdir()}
    (cell,) = load("results/tiny").cells.to_dict("records")
    assert cell["evaluation_normalized_variance"] == cell["total_variance"] * cell["evaluations"] > 0


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_reader_that_has_seen_enough_is_no_failure(tiny, form):
    show = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", "show", str(tiny), "--format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert show.stdout is not None
    show.stdout.close()
    show.stdout = None
    _, err = show.communicate()
    assert (show.returncode, err) == (0, b"")


def test_show_says_what_it_leaves_out(gradmark, tmp_path):
    broken = "if len(params['loc']) == 1: raise RuntimeError('no luck')\n        return self.factor *"
    file = plugin(tmp_path, ESTIMATOR.format(factor=1.0).replace("return self.factor *", broken))
    code, out, err = gradmark("run", "-e", "scaled-pathwise", "-e", "pathwise", *TINY, "--plugin", file)
    assert code == 1 and "1 done, 0 skipped, 1 failed" in err
    shown, again, err = gradmark("show", "tiny")
    assert shown == 0 and out.startswith(again) and "failed" in next(row for row in out.splitlines() if "scaled" in row)
    assert err.startswith("2 cells, among them 1 that could not be timed\nwhy: gradmark show tiny --columns ")
    code, out, err = gradmark(*err.split("why: gradmark ")[1].split())
    assert code == 0 and "no luck" in out and not err


def test_show_without_a_measured_cell_says_so(gradmark, tmp_path):
    arguments = ["run", "-e", "pathwise", "-p", "bernoulli-toy:dim=2", *TINY[2:]]
    assert gradmark(*arguments)[0] == 4
    code, out, err = gradmark("show", "tiny")
    assert (code, out) == (0, "") and "1 cells, among them 1 skipped\nwhy:" in err
    with Store.open(tmp_path / "results" / "tiny") as store:
        store.discard(store.states())
    code, out, err = gradmark("show", "tiny")
    assert (code, out) == (4, "") and "1 cells, among them 1 missing (repeat the run)" in err
    assert gradmark("show", "tiny", "--rates")[0] == 4


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown", "parquet"])
def test_show_in_every_format(tiny, gradmark, form):
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is an extra")
        finished = subprocess.run(
            [sys.executable, "-m", "experiments.cli", "show", str(tiny), "--format", form],
            capture_output=True,
            check=True,
        )
        assert finished.stdout.startswith(b"PAR1")
        return
    code, out, _ = gradmark("show", str(tiny), "--format", form)
    assert code == 0
    cells = load(tiny).cells
    if form == "json":
        (row,) = json.loads(out)
        assert row["estimator"] == "pathwise"
        assert row["total_variance"] == pytest.approx(cells["total_variance"][0], rel=1e-9)
    else:
        assert "pathwise" in out


def test_plot_and_report(tiny, gradmark, tmp_path):
    code, out, _ = gradmark("plot", str(tiny), "--kind", "variance", "--format", "svg")
    assert code == 0 and (tmp_path / out.strip()).read_text().startswith("<?xml")
    code, out, _ = gradmark("report", str(tiny))
    assert code == 0 and Path(out.strip()).read_text().lower().startswith("<!doctype html")
