"""The file of results on a disk: a writer may die at any instant, a bad file is refused in one line."""

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_cells import CELLS, ENTRY, KEYS, RESULT, filled, python

from experiments.store import Run, Store, StoreError, load
from experiments.store.schema import SCHEMA_VERSION


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
