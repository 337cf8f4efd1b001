"""The file of results: what is put comes back, a writer may die at any instant, a bad file is refused in one line."""

import json
import math
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.machine.provenance import provenance
from experiments.statistics import Interval
from experiments.store import CELL_COLUMNS, Run, Store, StoreError, load
from experiments.store.columns import COLUMNS, stored
from experiments.store.schema import SCHEMA_VERSION, TABLES
from experiments.sweep import Cell

CELLS = [Cell(estimator, "bowl", n) for estimator in ("plain", "two-knobs") for n in (1, 10)]
KEYS = [cell.key for cell in CELLS]
RESULT = {"total_variance": 2.5, "total_variance_low": 2.0, "replicates": 20_000, "verdict": "unbiased", "fitted": True}
ENTRY = {"parameter": "loc", "index": 0, "mean": 1.5, "variance": 0.25}
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


def test_one_writer_at_a_time_and_readers_beside_it(tmp_path):
    with Store.open(tmp_path) as store:
        store.add_run({}, KEYS)
        with pytest.raises(StoreError, match=r"another process is writing .*--name"):
            Store.open(tmp_path)
        assert "another process is writing" in python(f"Store.open({str(tmp_path)!r})").stderr
        store.put_statistics(CELLS[0], RESULT, parameters=[ENTRY])
        assert len(load(tmp_path).cells) == 1
    with Store.open(tmp_path) as store:
        assert set(store.states()) == {KEYS[0]}
    store.close()  # twice does no harm


def test_a_finished_run_is_one_plain_file(tmp_path):
    with Store.open(tmp_path / "deep" / "run") as store:
        store.add_run({}, KEYS)
        store.put_failure(CELLS[0], "killed")
    files = sorted(path.name for path in (tmp_path / "deep" / "run").iterdir())
    assert files == [".lock", "results.sqlite"]
    moved = tmp_path / "a run #1 50%?.sqlite"
    (tmp_path / "deep" / "run" / "results.sqlite").rename(moved)
    assert len(load(moved).cells) == len(load(str(moved)).cells) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [moved.name, "deep"]


PRELUDE = f"""
import os, signal
from types import SimpleNamespace
from experiments.store import Store

POINTS = {[{name: getattr(c, name) for name in stored("point")} for c in CELLS]}
CELLS = [SimpleNamespace(**point, train=None) for point in POINTS]
RESULT, ENTRY = {RESULT}, {ENTRY}

class Bomb:
    def item(self):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, beside a number (`Bomb`) that kills the process while it is being written."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("entries", [0, 5000], ids=["before any page", "after pages went to the log"])
def test_killed_in_a_transaction_a_run_keeps_what_was_recorded(tmp_path, entries):
    code = f"""
store = Store.open({str(tmp_path)!r})
store.add_run({{}}, [cell.key for cell in CELLS])
store._connection.execute("PRAGMA cache_size=5")
store.put_statistics(CELLS[0], RESULT, parameters=[ENTRY])
store.put_timing(CELLS[0].key, {{"seconds_per_gradient": 1.0}}, {{"latency": [1.0]}})
store.put_statistics(CELLS[1], RESULT, parameters=[ENTRY] * {entries} + [{{**ENTRY, "mean": Bomb()}}])
"""
    assert python(code).returncode == -signal.SIGKILL
    log = tmp_path / "results.sqlite-wal"
    assert (log.stat().st_size > 200_000) == (entries > 0)
    run = load(tmp_path)
    assert (run.cells.key.tolist(), run.parameters.key.tolist()) == (KEYS[:1], KEYS[:1])
    with Store.open(tmp_path) as store:
        assert set(store.states()) == {KEYS[0]}
        store.put_statistics(CELLS[1], RESULT, parameters=[ENTRY])
    run = load(tmp_path)
    assert (run.cells.key.tolist(), run.cells.attempts.tolist()) == (KEYS[:2], [1, 1])
    assert not log.exists()


def filled(folder: Path) -> Path:
    with Store.open(folder) as store:
        store.add_run({"cpu": "some"}, KEYS)
        for cell in CELLS:
            store.put_statistics(cell, RESULT, parameters=[ENTRY] * 50)
            store.put_timing(cell.key, {}, {"latency": [1.0] * 20})
    return folder / "results.sqlite"


def test_killed_outside_the_log_a_run_is_read_as_before(tmp_path):
    """Such is the state of a file whose writer dies while it goes over to the log or comes back from it."""
    file = filled(tmp_path)
    code = f"""
import sqlite3
connection = sqlite3.connect({str(file)!r})
connection.execute("PRAGMA cache_size=1")
connection.execute("UPDATE parameters SET mean = 77")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert python(code).returncode == -signal.SIGKILL
    assert (tmp_path / "results.sqlite-journal").stat().st_size > 0
    assert set(load(tmp_path).parameters["mean"]) == {1.5}


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> bytes:
    return filled(tmp_path_factory.mktemp("intact")).read_bytes()


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, intact, data):
    content = bytearray(intact)
    for _ in range(data.draw(st.integers(0, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "results.sqlite").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for use in (load, lambda path: Store.open(path).close()):
        try:
            found = use(folder)
        except StoreError as refusal:
            assert len(str(refusal).splitlines()) == 1
            assert str(folder) in str(refusal)
        else:
            assert found is None or isinstance(found, Run)


def foreign(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE cells (key TEXT)")
    connection.close()


def of_version(version: int) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        filled(file.parent)
        with sqlite3.connect(file) as connection:
            connection.execute(f"PRAGMA user_version={version}")
        connection.close()

    return make


OTHER_VERSION = r"another version of gradmark .schema {}, here {}.; move it away and run again, or use the version that"


@pytest.mark.parametrize(
    ("make", "fragment"),
    [
        (lambda file: file.write_text("key,estimator\n" * 100), "not a database"),
        (lambda file: file.write_bytes(filled(file.parent).read_bytes()[:9000]), "damaged|malformed"),
        (foreign, "not a file of gradmark results"),
        (of_version(999), OTHER_VERSION.format(999, SCHEMA_VERSION)),
        (of_version(4), OTHER_VERSION.format(4, SCHEMA_VERSION)),
    ],
    ids=["text", "truncated", "another database", "newer", "older"],
)
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path, make, fragment):
    file = tmp_path / "results.sqlite"
    make(file)
    before = file.read_bytes()
    for use in (load, Store.open):
        with pytest.raises(StoreError, match=fragment) as refusal:
            use(tmp_path)
        assert len(str(refusal.value).splitlines()) == 1
    assert file.read_bytes() == before


def test_missing_or_empty_results_are_refused_by_load(tmp_path):
    for path in (tmp_path / "none", tmp_path, "nul\0", "x" * 5000):
        with pytest.raises(StoreError, match=r"no results at .*gradmark run"):
            load(path)
    (tmp_path / "results.sqlite").touch()  # killed before its tables were made
    with pytest.raises(StoreError, match=r"no results in .* yet"):
        load(tmp_path)
    with Store.open(tmp_path) as store:
        store.add_run({}, [])
    assert len(load(tmp_path).cells) == 0
    assert list((tmp_path / "none").parent.glob("none")) == []


def test_where_nothing_can_be_written_one_line_says_so(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "results.sqlite").mkdir(parents=True)
    for folder in (tmp_path / "file" / "run", tmp_path / "taken"):
        with pytest.raises(StoreError, match=r"cannot write .*--name"):
            Store.open(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_results_are_read_and_not_written(tmp_path):
    file = filled(tmp_path)
    file.chmod(0o400)
    tmp_path.chmod(0o500)
    assert len(load(tmp_path).cells) == len(CELLS)
    with pytest.raises(StoreError, match=r"cannot write .*--name"):
        Store.open(tmp_path)
    tmp_path.chmod(0o700)


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
