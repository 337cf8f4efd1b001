"""Runs in processes of their own, to be killed: what the tests of the engine share."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest

from estimators.registry import registration as registry
from experiments.engine import run
from experiments.store import Run, StoreError, load
from experiments.sweep import read_sweep
from experiments.terminal.progress import narrator

__all__ = [
    "assert_same_results",
    "children",
    "driver",
    "end",
    "finished",
    "here",
    "members",
    "own_tables",
    "recorded",
    "write_sweep",
]

SWEEP = """
num_samples = {samples}

[[estimator]]
name = "pathwise"

[[estimator]]
name = "score-function"
control_variate = ["none", "leave-one-out"]

[[problem]]
name = "gaussian-quadratic"
dim = 2

[[problem]]
name = "gaussian-exponential"

[stop]
replicates = {replicates}

[timing]
rounds = 1
"""
DRIVER = """
import sys
from pathlib import Path
from experiments.terminal.progress import narrator
from experiments.engine import choose_executor, run
from experiments.sweep import read_sweep

sweep, folder, jobs, scheduler = sys.argv[1:]
with narrator() as progress:
    sweep = read_sweep(sweep)
    executor = choose_executor(jobs=int(jobs) or None, scheduler=scheduler or None, plugins=sweep.plugins)
    outcome = run(sweep, Path(folder), progress, executor=executor)
sys.exit(130 if outcome.interrupted else 1 if outcome.failed else 0)
"""
CLOCK = ("seconds", "work_normalized", "peak_memory", "device_name")


def write_sweep(folder: Path, samples: range = range(2, 12), replicates: int = 6_400) -> Path:
    """By default one of 60 cells."""
    file = folder / "sweep.toml"
    file.write_text(SWEEP.format(samples=list(samples), replicates=replicates))
    return file


def driver(sweep: Path, folder: Path, jobs: int = 2, scheduler: str = "") -> subprocess.Popen:
    """A run as `gradmark run` does it, without its figures: the leader of a session of its own."""
    command = [sys.executable, "-c", DRIVER, str(sweep), str(folder), str(jobs), scheduler]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)


def members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def children(session: int) -> list[int]:
    return [pid for pid in members(session) if pid != session]


def end(process: subprocess.Popen, patience: float = 15.0) -> None:
    """Kill the leader of a session if it is alive, and see the others end by themselves."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    if process.stderr is not None:
        process.stderr.close()
    deadline = time.monotonic() + patience
    while left := members(process.pid):
        assert time.monotonic() < deadline, f"orphans: {left}"
        time.sleep(0.05)


def assert_same_results(one: Run, other: Run) -> None:
    """All but what depends on the clock."""
    columns = [name for name in one.cells if not any(word in name for word in CLOCK)]
    pd.testing.assert_frame_equal(one.cells.loc[:, columns], other.cells.loc[:, columns])
    pd.testing.assert_frame_equal(one.parameters, other.parameters)
    assert one.cells["key"].is_unique and (one.planned == len(one.cells) == len(other.cells) == other.planned)
    rounds = ["key", "kind", "round"]
    pd.testing.assert_frame_equal(one.timings.loc[:, rounds], other.timings.loc[:, rounds])


def here(sweep: Path, folder: Path) -> Run:
    """The results of a run in this process, which need none to be started."""
    with narrator() as progress:
        outcome = run(read_sweep(sweep), folder, progress)
    assert not outcome.failed
    return load(folder)


def recorded(folder: Path) -> int:
    """How many cells a run has so far."""
    with suppress(StoreError):
        return len(load(folder).cells)
    return 0


@contextmanager
def own_tables() -> Iterator[None]:
    """What is installed is loaded for good, what a test's plug-in registers is not."""
    registry.components("estimator")
    with pytest.MonkeyPatch.context() as patch:
        for kind, table in registry.tables.items():
            patch.setitem(registry.tables, kind, dict(table))
        yield


def finished(sweep: Path, folder: Path, **options) -> Run:
    """The results of a run that nobody disturbs."""
    process = driver(sweep, folder, **options)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return load(folder)
