"""Runs on a Dask cluster of two worker processes, which the tests start on loopback and treat badly."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from processes import assert_same_results, driver, finished, here, write_sweep
from test_hostile import PLUGIN

from estimators import registry
from experiments.engine import ExecutorLost, choose_executor, run
from experiments.engine import cluster as cluster_module
from experiments.engine.cluster import Cluster
from experiments.store import load
from experiments.sweep import read_sweep, sweep_from_flags
from experiments.terminal.progress import narrator


@dataclass
class Dask:
    """A scheduler, and workers with the nannies that start them anew."""

    scheduler: subprocess.Popen
    address: str
    workers: list[subprocess.Popen] = field(default_factory=list)

    @classmethod
    def start(cls, port: int = 0) -> "Dask":
        command = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        process = _dask(*command)
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
                return cls(process, found[1])
        raise AssertionError("no scheduler")

    def add_worker(self) -> None:
        self.workers.append(_dask("worker", self.address, "--nthreads", "1", "--no-dashboard"))

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _dask(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "dask", *arguments]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Dask]:
    dask = Dask.start()
    for _ in range(2):
        dask.add_worker()
    yield dask
    dask.stop()


def wait_for_workers(dask: Dask, count: int) -> None:
    executor = Cluster(dask.address)
    deadline = time.monotonic() + 60
    while len(executor._client.nthreads()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    executor.close()


def test_a_cluster_gives_the_same_results_as_this_process(cluster, tmp_path):
    wait_for_workers(cluster, 2)
    sweep = write_sweep(tmp_path, range(2, 3))
    expected = here(sweep, tmp_path / "here")
    with narrator() as progress:
        run(read_sweep(sweep), tmp_path / "there", progress, executor=Cluster(cluster.address))
    assert_same_results(load(tmp_path / "there"), expected)


def test_without_a_scheduler_or_a_gpu_a_run_is_refused(cluster, tmp_path, monkeypatch):
    wait_for_workers(cluster, 1)
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 1)
    with pytest.raises(ValueError, match=r"no Dask scheduler at .*`dask scheduler` starts one"):
        choose_executor(scheduler="tcp://127.0.0.1:1")
    sweep = sweep_from_flags(estimators=["pathwise"], problems=["gaussian-quadratic"], device="cuda", num_samples="2")
    with narrator() as progress, pytest.raises(ValueError, match="no worker offers a GPU; `dask worker"):
        run(sweep, tmp_path, progress, executor=Cluster(cluster.address))
    assert not list(tmp_path.iterdir())


def test_a_worker_with_another_version_is_refused(cluster, monkeypatch):
    wait_for_workers(cluster, 1)
    Cluster(cluster.address).check(["cpu"])
    monkeypatch.setattr(cluster_module, "_remotely", lambda packages: lambda: {"torch": str(os.getpid())})
    with pytest.raises(
        ValueError, match=r"worker tcp://\S+ has torch \d+, and here is \d+; install the same everywhere"
    ):
        Cluster(cluster.address).check(["cpu"])
    monkeypatch.setattr(
        cluster_module, "_remotely", lambda packages: lambda: {"torch": "" if "dask" in str(sys.argv) else "2"}
    )
    with pytest.raises(ValueError, match="has no torch, and here is 2"):
        Cluster(cluster.address).check(["cpu"])


def test_plug_ins_travel_and_hostile_ones_cost_their_own_cell(cluster, tmp_path):
    wait_for_workers(cluster, 2)
    plugin = tmp_path / "mine.py"
    (tmp_path / "neighbour.py").write_text("NAME = 'hostile-there'\n")
    plugin.write_text("from neighbour import NAME\n" + PLUGIN.replace('"hostile"', "NAME"))
    deeds = [f"hostile-there:deed={deed}" for deed in ("nothing", "throw", "loop")]
    flags = {"problems": ["gaussian-quadratic:dim=2"], "num_samples": "4", "max_replicates": 640}
    sweep = sweep_from_flags(estimators=[*deeds[:2], "pathwise"], plugins=[str(plugin)], **flags)
    with narrator() as progress:
        run(sweep, tmp_path / "r", progress, executor=Cluster(cluster.address, plugins=[str(plugin)]))
    cells = load(tmp_path / "r").cells
    assert cells["status"].tolist() == ["done", "failed", "done"], cells["error"].tolist()
    assert cells["timing_status"].tolist() == ["done", "", "done"]
    renamed = plugin.rename(tmp_path / "renamed.py")
    registry.unload_plugin(plugin)
    sweep = sweep_from_flags(estimators=deeds[:1], plugins=[str(renamed)], **flags)
    with narrator() as progress:
        outcome = run(sweep, tmp_path / "s", progress, executor=Cluster(cluster.address, plugins=[str(renamed)]))
    assert (outcome.done, outcome.failed) == (1, 0), "the same names from another file, on the same workers"
    # What never ends comes alone, so that a limit that is short hits nobody else on a busy machine.
    sweep = sweep_from_flags(estimators=deeds[2:], plugins=[str(renamed)], **flags)
    with narrator() as progress:
        run(sweep, tmp_path / "t", progress, executor=Cluster(cluster.address, timeout=2, plugins=[str(renamed)]))
    assert load(tmp_path / "t").cells["status"].tolist() == ["timeout"]


@pytest.mark.chaos
def test_a_cell_that_crashes_its_worker_is_given_up(cluster, tmp_path):
    wait_for_workers(cluster, 2)
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN.replace('"hostile"', '"hostile-crash"'))
    flags = {"problems": ["gaussian-quadratic:dim=2"], "num_samples": "4", "max_replicates": 640}
    sweep = sweep_from_flags(estimators=["hostile-crash:deed=crash", "pathwise"], plugins=[str(plugin)], **flags)
    with narrator() as progress:
        run(sweep, tmp_path / "r", progress, executor=Cluster(cluster.address, plugins=[str(plugin)]))
    cells = load(tmp_path / "r").cells
    assert cells["status"].tolist() == ["failed", "done"]
    assert "all workers that tried it died" in cells["error"][0]


@pytest.mark.chaos
def test_a_worker_killed_in_mid_sweep_costs_nothing(cluster, tmp_path):
    wait_for_workers(cluster, 2)
    sweep = write_sweep(tmp_path, range(2, 12))
    expected = finished(sweep, tmp_path / "here")
    process = driver(sweep, tmp_path / "there", jobs=0, scheduler=cluster.address)
    while not (tmp_path / "there" / "results.sqlite").exists() or len(load(tmp_path / "there").cells) < 10:
        time.sleep(0.2)
    victim = cluster.workers.pop()
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    cluster.add_worker()
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert_same_results(load(tmp_path / "there"), expected)


@pytest.mark.chaos
def test_a_scheduler_killed_in_mid_sweep_ends_the_run_and_a_new_one_goes_on(tmp_path):
    sweep = write_sweep(tmp_path, range(2, 12), replicates=64_000)
    expected = finished(sweep, tmp_path / "here")
    first = Dask.start()
    first.add_worker()
    wait_for_workers(first, 1)
    process = driver(sweep, tmp_path / "there", jobs=0, scheduler=first.address)
    while not (tmp_path / "there" / "results.sqlite").exists() or len(load(tmp_path / "there").cells) < 5:
        time.sleep(0.2)
    first.stop()
    _, err = process.communicate(timeout=120)
    assert process.returncode not in (0, None) and ExecutorLost.__name__ in err
    kept = len(load(tmp_path / "there").cells)
    assert 5 <= kept < 60
    second = Dask.start()
    second.add_worker()
    wait_for_workers(second, 1)
    assert_same_results(finished(sweep, tmp_path / "there", jobs=0, scheduler=second.address), expected)
    second.stop()
