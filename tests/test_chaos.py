"""Runs that are killed, interrupted and starved, by really doing it. The long ones are `nox -s chaos`."""

import os
import random
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from processes import assert_same_results, children, driver, end, finished, here, recorded, write_sweep

from experiments.engine import remaining, run
from experiments.engine.pool import LocalPool
from experiments.store import Run, load, states
from experiments.sweep import read_sweep


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, float]:
    """A sweep of 60 cells, its results, and the seconds that they took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    sweep = write_sweep(folder)
    began = time.monotonic()
    return sweep, finished(sweep, folder / "results"), time.monotonic() - began


def kill_and_repeat(undisturbed: tuple[Path, Run, float], folder: Path, part: float) -> None:
    sweep, expected, seconds = undisturbed
    process = driver(sweep, folder)
    time.sleep(part * seconds)
    end(process)
    assert_same_results(finished(sweep, folder), expected)


def test_a_killed_run_that_is_repeated_ends_like_one_that_was_not(tmp_path):
    """Killed after some of its twelve cells, and repeated here, on top of the same run undisturbed."""
    sweep = write_sweep(tmp_path, range(2, 4))
    for trial in range(3):
        folder = tmp_path / f"killed-{trial}"
        process = driver(sweep, folder)
        deadline = time.monotonic() + 120
        while recorded(folder) < 3:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        end(process)
        kept = recorded(folder)
        if kept < 12:  # on a busy machine it may have come to its end before it was killed
            break
    assert_same_results(here(sweep, folder), here(sweep, tmp_path / "undisturbed"))
    assert 3 <= kept < 12


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(20))
def test_a_run_may_be_killed_at_any_instant(undisturbed, tmp_path, seed):
    kill_and_repeat(undisturbed, tmp_path, random.Random(seed).random())


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_a_run_whose_workers_are_killed_accounts_for_every_cell(undisturbed, tmp_path, seed):
    sweep, expected, _ = undisturbed
    generator = random.Random(seed)
    process = driver(sweep, tmp_path)
    killed = 0
    while process.poll() is None:
        time.sleep(generator.uniform(0.3, 1.5))
        for pid in generator.sample(found, 1) if (found := children(process.pid)) else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    _, err = process.communicate()
    assert process.returncode in (0, 1) and killed > 3, err
    cells = load(tmp_path).cells
    assert cells["key"].tolist() == expected.cells["key"].tolist()
    assert set(cells["status"]) <= {"done", "failed"} and set(cells["timing_status"]) <= {"done", "failed", ""}
    died = cells.query("status == 'failed'")["error"]
    assert died.str.fullmatch("the worker process .*, 2 times").all(), died.tolist()
    end(process)


def test_ctrl_c_finishes_the_running_cells_and_a_second_one_does_not(tmp_path):
    for presses in (1, 2):
        sweep = write_sweep(tmp_path, range(2, 4), replicates=100_000 if presses == 1 else 1_000_000)
        process = driver(sweep, tmp_path / str(presses))
        while not states(tmp_path / str(presses)):
            time.sleep(0.1)
        for _ in range(presses):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            time.sleep(0.1)
        _, err = process.communicate()
        assert process.returncode == 130 and "Ctrl-C again" in err and "Traceback" not in err, err
        end(process)
        found = load(tmp_path / str(presses)).cells["status"].tolist()
        assert len(found) < 12 and set(found) == ({"done"} if presses == 1 else {"done", "interrupted"}), found
        missing = {cell.key for cell in remaining(read_sweep(sweep), tmp_path / str(presses))}
        assert missing >= set(load(tmp_path / str(presses)).cells.query("status == 'interrupted'")["key"])


class Recorder:
    """Progress that notes the time and the memory of this process at every step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.memory: list[int] = []

    def start(self, phase: str, total: int) -> None: ...

    def doing(self, what: str, left: float) -> None: ...

    def say(self, message: str) -> None: ...

    def advance(self, what: str, steps: int = 1) -> None:
        self.seconds.append(time.monotonic())
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())


def many_cells(folder: Path, count: int) -> Recorder:
    """Cells of equal work: six for each value of an option."""
    text = write_sweep(folder, range(4, 5), replicates=64).read_text()
    values = f"dim = 2\nk = {[index / 1000 for index in range(count // 6)]}\n"
    text = text.replace("dim = 2\n", values).replace('"gaussian-exponential"\n', f'"gaussian-exponential"\n{values}')
    file = folder / "many.toml"
    file.write_text(text.replace("rounds = 1", "enabled = false"))
    recorder = Recorder()
    outcome = run(read_sweep(file), folder / "results", recorder, executor=LocalPool(2))
    assert (outcome.planned, outcome.done) == (count, count)
    return recorder


def test_many_tiny_cells(tmp_path):
    recorder = many_cells(tmp_path, 150)
    assert max(recorder.memory) - recorder.memory[50] < 10e6


@pytest.mark.chaos
def test_ten_thousand_cells_take_as_long_and_as_much_memory_each_as_a_hundred(tmp_path):
    recorder = many_cells(tmp_path, 10_002)
    seconds = recorder.seconds
    early, late = (seconds[3000] - seconds[1000]) / 2000, (seconds[-1] - seconds[-2001]) / 2000
    print(f"a cell takes {early:.4f} s early and {late:.4f} s late")
    assert late < 1.5 * early
    assert max(recorder.memory) - recorder.memory[1000] < 50e6
