"""The file of results: what is put comes back, whole or not at all."""

import json
import math
import shlex
import sqlite3
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_cells import CELLS, ENTRY, KEYS, RESULT, filled

from experiments.machine.provenance import provenance
from experiments.statistics import Interval
from experiments.store import CELL_COLUMNS, Store, StoreError, load
from experiments.store.columns import COLUMNS, stored
from experiments.store.schema import TABLES

SETTABLE = [column for column in CELL_COLUMNS if column not in stored("point", "state")]


def values(kind: str) -> st.SearchStrategy:
    optional = st.nothing() if "NOT NULL" in kind else st.none()
    integers = st.integers(-(2**63), 2**63 - 1)
    by_kind = {"REAL": st.floats(), "INTEGER": integers, "BOOLEAN": st.booleans(), "TEXT": st.text()}
    return by_kind[kind.split()[0]] | optional


ROWS = st.fixed_dictionaries({}, optional={column: values(CELL_COLUMNS[column]) for column in SETTABLE})
ENTRIES = st.lists(st.fixed_dictionaries({column: values(kind) for column, kind in TABLES["parameters"].items()}))


def same(found: object, put: object) -> bool:
    """Equal, where a missing number is NaN (float) or NA (count) and text and truth are kept exactly."""
    missing = put is None or (isinstance(put, float) and math.isnan(put))
    return bool(pd.isna(found)) if missing else found == put  # type: ignore[arg-type]


@settings(deadline=None, max_examples=25)
@given(row=ROWS, entries=ENTRIES)
def test_what_is_put_comes_back(tmp_path_factory, row, entries):
    folder = tmp_path_factory.mktemp("run")
    with Store.open(folder) as store:
        store.add_run({}, KEYS)
        store.put_statistics(CELLS[2], row, parameters=entries)
    run = load(folder)
    (found,) = run.cells.to_dict("records")
    expected = dict.fromkeys(CELL_COLUMNS) | {"fitted": False} | row
    expected |= {column: getattr(CELLS[2], column) for column in stored("point")}
    expected |= {"status": "done", "timing_status": "pending", "error": None, "attempts": 1}
    assert {column for column in CELL_COLUMNS if not same(found[column], expected[column])} == set()
    assert len(run.parameters) == len(entries)
    for entry, put in zip(run.parameters.to_dict("records"), entries, strict=True):
        put |= {"key": CELLS[2].key}
        assert {column for column in put if not same(entry[column], put[column])} == set()


def test_numbers_of_numpy_and_odd_text_can_be_put(tmp_path):
    row = {"replicates": np.int64(5), "mse": np.float32(0.5), "fitted": np.bool_(True), "snr": np.float64("nan")}
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        store.put_statistics(CELLS[0], row, parameters=[{**ENTRY, "mean": np.float32(3)}])
        store.put_failure(CELLS[1], "file \udcff is missing\0")
    run = load(tmp_path)
    found = run.cells.iloc[0]
    assert (found.replicates, found.mse, bool(found.fitted)) == (5, 0.5, True)
    assert math.isnan(found.snr)
    assert run.parameters["mean"].tolist() == [3.0]
    assert run.cells.error.tolist() == [None, "file ? is missing\0"]


def test_types_do_not_depend_on_the_rows(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        empty = load(tmp_path)
        store.put_skipped(CELLS[0], "needs two samples")
        sparse = load(tmp_path)
        store.put_statistics(CELLS[1], RESULT, parameters=[ENTRY])
        full = load(tmp_path)
    for table in ("cells", "parameters", "signals", "traces", "timings"):
        frames = [getattr(run, table) for run in (empty, sparse, full)]
        assert all(frame.dtypes.equals(frames[0].dtypes) for frame in frames)
        assert list(frames[0])[: len(TABLES[table])] == list(TABLES[table])
    assert full.cells.dtypes[["num_samples", "replicates", "mse"]].astype(str).tolist() == ["int64", "Int64", "float64"]
    assert full.cells.error.tolist() == ["needs two samples", None]


def test_the_latest_run_says_which_cells_show_and_in_what_order(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({"time": "first"}, KEYS[:3])
        for cell in CELLS[:3]:
            store.put_statistics(cell, RESULT, parameters=[ENTRY])
            store.put_timing(cell.key, {}, {"latency": [1.0]})
    with Store.open(tmp_path) as store:
        assert set(store.states()) == set(KEYS[:3])
        store.add_run({"time": "second"}, [KEYS[3], KEYS[2], KEYS[0], KEYS[0]])
    run = load(tmp_path)
    assert run.cells.key.tolist() == run.parameters.key.tolist() == run.timings.key.tolist() == [KEYS[2], KEYS[0]]
    assert (run.planned, run.provenance) == (3, {"time": "second"})


def test_states_of_a_cell(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        store.put_statistics(CELLS[0], RESULT, parameters=[ENTRY])
        store.put_statistics(CELLS[1], RESULT, parameters=[ENTRY], timed=False)
        store.put_failure(CELLS[2], "killed")
        store.put_skipped(CELLS[3], "not differentiable")
        states = [("done", "pending"), ("done", ""), ("failed", ""), ("skipped", "")]
        assert store.states() == dict(zip(KEYS, states, strict=True))

        store.put_timing(KEYS[0], {"seconds_per_gradient": 1e-3}, {"latency": np.array([1.0, 2.0]), "batched": [3.0]})
        store.put_timing_failure(KEYS[1], "no memory")
        assert [store.states()[key] for key in KEYS[:2]] == [("done", "done"), ("done", "failed")]

        store.put_statistics(CELLS[2], RESULT, parameters=[ENTRY])
    run = load(tmp_path)
    assert run.cells.status.tolist() == ["done", "done", "done", "skipped"]
    assert run.cells.timing_status.tolist() == ["done", "failed", "pending", ""]
    assert run.cells.error.tolist() == [None, "no memory", None, "not differentiable"]
    assert run.cells.attempts.tolist() == [1, 1, 2, 1]
    assert run.cells.total_variance.tolist()[:3] == [2.5, 2.5, 2.5]
    rounds = [(KEYS[0], "latency", 0, 1.0), (KEYS[0], "latency", 1, 2.0), (KEYS[0], "batched", 0, 3.0)]
    assert list(run.timings.itertuples(index=False, name=None)) == rounds


def test_measuring_or_timing_again_leaves_nothing_of_before(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        store.put_statistics(CELLS[0], RESULT, parameters=[ENTRY, ENTRY])
        store.put_timing(KEYS[0], {"seconds_per_gradient": 1.0}, {"latency": [1.0, 2.0]})
        store.put_timing(KEYS[0], {"seconds_per_gradient": 3.0}, {"latency": [3.0]})
        assert load(tmp_path).timings.seconds.tolist() == [3.0]
        store.put_timing_failure(KEYS[0], "no memory")
        assert load(tmp_path).cells[list(stored("timing"))].isna().to_numpy().all()
        store.put_timing(KEYS[0], {"seconds_per_gradient": 4.0}, {"latency": [4.0]})
        assert load(tmp_path).cells.error.tolist() == [None]
        store.put_statistics(CELLS[0], {"mse": 1.0}, parameters=[ENTRY])
        again = load(tmp_path)
        store.discard(KEYS[:1])
        gone = load(tmp_path)
    assert (len(again.parameters), len(again.timings)) == (1, 0)
    assert again.cells[["total_variance", "seconds_per_gradient"]].isna().to_numpy().all()
    assert [len(frame) for frame in (gone.cells, gone.parameters, gone.timings)] == [0, 0, 0]


def test_a_cell_is_put_whole_or_not_at_all(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        store.put_statistics(CELLS[0], RESULT, parameters=[ENTRY])
        with pytest.raises(StoreError, match="unknown column 'varience'"):
            store.put_statistics(CELLS[0], {}, parameters=[{"varience": 1.0}])
        with pytest.raises(StoreError, match="unknown column 'secs'"):
            store.put_timing(KEYS[0], {"secs": 1.0}, {})
        store.put_failure(CELLS[2], "killed")
        for key in KEYS[1:3]:
            with pytest.raises(StoreError, match="no statistics"):
                store.put_timing(key, {"seconds_per_gradient": 1.0}, {"latency": [1.0]})
        run = load(tmp_path)
    assert run.cells.error.tolist() == [None, "killed"]
    assert (run.cells.total_variance[0], len(run.parameters), len(run.timings)) == (2.5, 1, 0)


def test_a_full_disk_is_one_line_and_costs_one_cell(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        store.put_statistics(CELLS[0], RESULT, parameters=[ENTRY])
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError, match=r"cannot write .*full.*space"):
            store.put_statistics(CELLS[1], RESULT, parameters=[ENTRY] * 5000)
        store._connection.execute("PRAGMA max_page_count=100000")
        store.put_statistics(CELLS[2], RESULT, parameters=[ENTRY])
    assert load(tmp_path).cells.key.tolist() == [KEYS[0], KEYS[2]]


def test_columns_stand_once(tmp_path):
    intervals = ("total_variance", "mse", "seconds_per_gradient")
    assert {column for name in intervals for column in Interval.columns(name)} <= set(CELL_COLUMNS)
    with sqlite3.connect(filled(tmp_path)) as connection:
        found = {row[1]: row[2] for row in connection.execute("PRAGMA table_info(cells)")}
    connection.close()
    assert found == {column: kind.split()[0] for column, kind in CELL_COLUMNS.items()}
    every = [name for column in COLUMNS.values() for name in column.names]
    assert len(every) == len(set(every)) and set(load(tmp_path).cells) == set(every)


def test_a_column_has_a_type_where_it_is_stored_and_a_form_for_each_value():
    for column in COLUMNS.values():
        assert bool(column.sql) == (column.part != "derived")
        assert column.show({name: None for name in column.names} | {"fitted": True}) == "" or not column.heading


def test_provenance_is_text_and_survives_a_machine_without_git(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/gradmark", "run", "my sweep.toml", "-n", "1,10"])
    monkeypatch.setenv("PATH", str(tmp_path))
    found = provenance()
    assert all(isinstance(value, str) and value for value in found.values())
    assert {"python", "torch", "numpy", "pandas", "cpu", "threads", "platform", "time", "command_line"} <= set(found)
    assert "git_commit" not in found
    assert shlex.split(found["command_line"]) == ["gradmark", "run", "my sweep.toml", "-n", "1,10"]
    with Store.open(tmp_path) as store:
        store.add_run(found, [])
    assert load(tmp_path).provenance == json.loads(json.dumps(found)) == found
