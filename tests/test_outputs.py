"""Files that are made anew only where they would not be what they are."""

from functools import partial
from pathlib import Path

import pytest
from command_lines import TINY

from experiments.machine.outputs import RECORD, Outputs
from experiments.store import load

MEASURED = ("run", "-e", "pathwise", *TINY)


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    file = tmp_path / "figure.png"
    file.write_bytes(b"drawn")
    found = Outputs.of(tmp_path, "results", "code")
    found.note([file])
    return found


def test_nothing_changed(outputs: Outputs):
    assert outputs.current


def test_another_input_a_lost_file_or_one_of_somebody_else_is_stale(outputs: Outputs):
    assert not Outputs.of(outputs.folder, "results", "other code").current
    assert not Outputs.of(outputs.folder, "other results", "code").current
    file = outputs.folder / "figure.png"
    file.write_bytes(b"drawm")
    assert not outputs.current
    file.unlink()
    assert not outputs.current
    (outputs.folder / RECORD).write_text("{")
    assert not outputs.current


def drawn() -> dict[str, int]:
    files = [*Path("results/tiny").glob("plots/*.png"), Path("results/tiny/report.html")]
    return {file.name: file.stat().st_mtime_ns for file in files}


def test_a_run_draws_what_is_missing_or_stale_and_nothing_else(gradmark, monkeypatch):
    import experiments.plots

    one_kind = partial(experiments.plots.plots_of, kinds=["variance"])
    monkeypatch.setattr(experiments.plots, "plots_of", one_kind)
    gradmark(*MEASURED)
    first = drawn()
    _, told, err = gradmark(*MEASURED)
    assert drawn() == first and "drawing" not in err and "pathwise with S = 2" in told
    (Path("results/tiny/report.html")).write_text("something else")
    gradmark(*MEASURED)
    assert "something else" not in Path("results/tiny/report.html").read_text()
    before = drawn()
    gradmark(*MEASURED, "--seed", "7")
    after = drawn()
    assert set(before) == set(after) and all(after[path] > before[path] for path in before), "other results"
    assert set(load("results/tiny").cells["seed"]) == {7}


def test_the_content_of_a_run_is_that_of_all_its_tables(gradmark):
    gradmark(*MEASURED)
    one, other = load("results/tiny"), load("results/tiny")
    assert one.content == load("results/tiny").content
    other.timings.loc[0, "seconds"] *= 1.01
    assert one.content != other.content, "a table beside the cells"
    moved = load("results/tiny")
    moved.provenance["time"] = "another"
    assert moved.content == one.content, "the moment alone is no difference"
