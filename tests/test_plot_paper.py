"""Figures for a paper: as wide as its column, with names of one's own, and no title over a single panel."""

import re
from pathlib import Path

import pytest
from reports import CELLS, a_run

from experiments.plots import plots_of
from experiments.plots.drawing.page import fitted
from experiments.terminal.labels import called, labels


@pytest.mark.parametrize("width", [3.3, 5.0, 7.0])
def test_a_figure_is_as_wide_as_it_is_asked_to_be(width: float) -> None:
    run = a_run(CELLS)
    with fitted(width):
        (figure,) = plots_of(run, ["variance"]).values()
    assert figure.get_size_inches()[0] == pytest.approx(width)
    (usual,) = plots_of(run, ["variance"]).values()
    assert usual.get_size_inches()[0] in (pytest.approx(3.5), pytest.approx(7.1))


def test_a_single_panel_leaves_its_title_to_the_caption() -> None:
    cells = CELLS.query(f"problem == {CELLS['problem'].iloc[0]!r}")
    with fitted(3.3):
        (figure,) = plots_of(a_run(cells), ["variance"]).values()
    titles = [ax.get_title() for part in figure.subfigs for ax in part.axes]
    assert titles == [""]


def test_names_of_ones_own_are_used_inside_and_nowhere_else() -> None:
    with called({"pathwise": "ours"}):
        assert labels(["pathwise", "score-function"]) == {"pathwise": "ours", "score-function": "score-function"}
    assert labels(["pathwise"]) == {"pathwise": "pathwise"}


def test_the_command_writes_a_pdf_with_its_fonts(gradmark, tmp_path: Path) -> None:
    few = ["-p", "gaussian-quadratic", "-e", "pathwise", "-n", "2,4", "--name", "few", "--max-replicates", "640"]
    assert gradmark("run", *few)[0] == 0
    code, out, err = gradmark("plot", "few", "--kind", "variance", "--width", "3.3", "--label", "pathwise=PW")
    assert code == 0, err
    content = (tmp_path / out.strip()).read_bytes()
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", content)
    assert box is not None and float(box[1]) == pytest.approx(3.3 * 72, abs=0.5) and b"/FontFile2" in content
    code, _, err = gradmark("plot", "few", "--label", "pathwize=PW")
    assert code == 2 and "'pathwise'" in err
    code, out, _ = gradmark("show", "few", "--format", "latex", "--columns", "problem,stop_reason,num_samples")
    assert code == 0 and r"problem & stop\_reason & num\_samples \\" in out
    assert out.startswith(r"\begin{tabular}{lrr}")
