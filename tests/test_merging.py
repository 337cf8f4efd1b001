"""Results of several machines into one file, and files of older versions."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from experiments.store import Store, StoreError, load, merge
from experiments.sweep import Cell

CELLS = [Cell("pathwise", "gaussian-quadratic", s) for s in (1, 2, 3)]
ENTRY = {"parameter": "loc", "index": 0, "mean": 1.0, "variance": 2.0}


def write(folder: Path, cells: list[Cell], variance: float, *, timed_on: str = "", failing: Cell | None = None) -> Path:
    with Store.open(folder) as store:
        store.add_run({"cpu": timed_on}, [cell.key for cell in cells])
        for cell in cells:
            if cell == failing:
                store.put_failure(cell, "no luck", "timeout", "Traceback: …")
                continue
            store.put_statistics(cell, {"total_variance": variance, "evaluations": 1}, parameters=[ENTRY])
            if timed_on:
                store.put_timing(cell.key, {"seconds_per_gradient": 1e-3, "device_name": timed_on}, {"latency": [1e-3]})
    return folder


def test_the_cells_of_all_sources_come_together_each_with_its_machine(tmp_path):
    one = write(tmp_path / "one", CELLS[:2], 1.0, timed_on="Xeon")
    two = write(tmp_path / "two", CELLS[1:], 2.0, timed_on="EPYC")
    assert merge([one, two], tmp_path / "both") == (3, 1, 0)
    both = load(tmp_path / "both")
    assert both.cells["key"].tolist() == [cell.key for cell in CELLS] and both.planned == 3
    assert both.cells["total_variance"].tolist() == [1.0, 1.0, 2.0], "the first of equals"
    assert both.cells["device_name"].tolist() == ["Xeon", "Xeon", "EPYC"]
    assert len(both.parameters) == 3 and len(both.timings) == 3
    assert both.provenance["merged_from"] == f"{one}, {two}"
    pd.testing.assert_frame_equal(both.cells.head(2), load(one).cells)


def test_the_more_complete_of_two_is_taken(tmp_path):
    failed = write(tmp_path / "failed", CELLS, 1.0, failing=CELLS[0])
    untimed = write(tmp_path / "untimed", CELLS, 2.0)
    timed = write(tmp_path / "timed", CELLS[2:], 3.0, timed_on="Xeon")
    assert merge([failed, untimed, timed], tmp_path / "all").duplicates == 4
    cells = load(tmp_path / "all").cells
    assert cells["total_variance"].tolist() == [2.0, 1.0, 3.0]
    assert cells["status"].tolist() == ["done"] * 3 and cells["timing_status"].tolist() == [
        "pending",
        "pending",
        "done",
    ]


def test_rows_of_lost_cells_are_left_out_and_the_cells_are_missing(tmp_path):
    """A file of which something took cells, and left their parameters and rounds."""
    one = write(tmp_path / "one", CELLS, 1.0, timed_on="Xeon")
    with closing(sqlite3.connect(one / "results.sqlite")) as connection, connection:
        connection.execute("DELETE FROM cells WHERE key != ?", [CELLS[1].key])
    assert merge([one], tmp_path / "alone") == (1, 0, 2)
    kept = load(tmp_path / "alone")
    assert kept.parameters["key"].tolist() == kept.timings["key"].tolist() == [CELLS[1].key]
    assert merge([one, write(tmp_path / "two", CELLS[:1], 2.0)], tmp_path / "both") == (2, 0, 1)
    assert load(tmp_path / "both").cells["total_variance"].tolist() == [2.0, 1.0]


def test_what_is_merged_can_be_continued(tmp_path):
    merge([write(tmp_path / "one", CELLS[:1], 1.0)], tmp_path / "all")
    write(tmp_path / "all", CELLS[1:], 2.0)
    assert load(tmp_path / "all").cells["total_variance"].tolist() == [2.0, 2.0]


def test_what_is_planned_and_missing_stays_so(tmp_path):
    write(tmp_path / "one", CELLS[:1], 1.0)
    with Store.open(tmp_path / "one") as store:
        store.add_run({}, [cell.key for cell in CELLS[:2]])
    assert merge([tmp_path / "one", write(tmp_path / "two", CELLS[2:], 2.0)], tmp_path / "all") == (2, 0, 1)
    assert load(tmp_path / "all").plan == tuple(cell.key for cell in CELLS)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path):
    one, two = write(tmp_path / "one", CELLS[:1], 1.0), write(tmp_path / "two", CELLS[1:], 2.0)
    with pytest.raises(StoreError, match="exists already; choose another name"):
        merge([one], two)
    with pytest.raises(StoreError, match=r"no results at .*absent"):
        merge([one, tmp_path / "absent"], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command(gradmark, tmp_path):
    write(tmp_path / "results" / "one", CELLS[:2], 1.0)
    write(tmp_path / "results" / "two", CELLS[1:], 2.0)
    assert gradmark("merge", "one", "two", "-o", "all")[:2] == (
        0,
        "3 cells of 2 runs in results/all, 1 of them in several runs\n",
    )
    code, _, err = gradmark("merge", "one", "-o", "../elsewhere")
    assert code == 2 and "cannot name a results folder" in err and err.count("\n") == 1
    code, _, err = gradmark("merge", "one", "none", "-o", "new")
    assert code == 2 and "no results at results/none" in err and not (tmp_path / "results" / "new").exists()


def test_a_file_of_another_version_is_not_merged(tmp_path):
    one, two = write(tmp_path / "one", CELLS[:1], 1.0), write(tmp_path / "two", CELLS[1:], 2.0)
    with closing(sqlite3.connect(one / "results.sqlite")) as connection:
        connection.execute("PRAGMA user_version=1")
    with pytest.raises(StoreError, match=r"another version of gradmark .schema 1.*run again, or use the version") as no:
        merge([two, one], tmp_path / "all")
    assert str(no.value).startswith(str(one)) and not (tmp_path / "all").exists()


def test_a_page_that_is_damaged_is_found_before_anything_is_written(tmp_path):
    many = [replace(CELLS[0], seed=seed) for seed in range(200)]
    write(tmp_path, many, 1.0)
    file = tmp_path / "results.sqlite"
    content = bytearray(file.read_bytes())
    content[4096 * 12 : 4096 * 20] = b"\xff" * (4096 * 8)
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*move it away and run again"):
        Store.open(tmp_path)
    assert file.read_bytes() == content
