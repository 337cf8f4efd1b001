"""What a user waits for and what it occupies: start-up, the overhead of a sweep, and memory."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.cases import CASES, home
from benchmarks.steps import workload

__all__ = ["ColdStart", "Memory", "SweepOverhead"]

COMMANDS = {
    "import": ("-c", "import experiments"),
    "--help": ("-m", "experiments.cli", "--help"),
    "list": ("-m", "experiments.cli", "list"),
}
SWEEPS = {"measured": ("gaussian-quadratic:dim=1", 30), "unsupported": ("bernoulli-toy", 300)}
SWEEP = """
estimator = ["pathwise"]
problem = ["{problem}"]
num_samples = {samples}

[stop]
replicates = 64

[timing]
enabled = false
"""


class ColdStart:
    """A process of its own, to its end."""

    param_names = ("command",)
    params = (list(COMMANDS),)
    rounds = 4
    repeat = 2
    number = 1
    warmup_time = 0
    timeout = 300

    def time_cold_start(self, command: str) -> None:
        subprocess.run([sys.executable, *COMMANDS[command]], check=True, capture_output=True)


class SweepOverhead:
    """Sweeps with little to compute, or nothing: what is left is keys, bookkeeping and the store."""

    param_names = ("cells",)
    params = (list(SWEEPS),)
    rounds = 4
    repeat = 3
    number = 1
    warmup_time = 0
    timeout = 300

    def setup(self, cells: str) -> None:
        from experiments.sweep import read_sweep

        self.folder = tempfile.TemporaryDirectory(prefix="gradmark-")
        file = Path(self.folder.name) / "overhead.toml"
        problem, count = SWEEPS[cells]
        file.write_text(SWEEP.format(problem=problem, samples=list(range(2, 2 + count))))
        self.sweep = read_sweep(file)

    def teardown(self, cells: str) -> None:
        self.folder.cleanup()

    def time_sweep_overhead(self, cells: str) -> None:
        from experiments.engine import run

        run(self.sweep, Path(self.folder.name), Silence())


class Silence:
    """Progress that nobody hears."""

    def start(self, phase: str, total: int) -> None: ...

    def advance(self, what: str, steps: int = 1) -> None: ...

    def doing(self, what: str, left: float) -> None: ...

    def say(self, message: str) -> None: ...


class Memory:
    """The most that a process holds, torch included."""

    param_names = ("estimator",)
    params = (list(CASES),)
    timeout = 300

    def setup(self, estimator: str) -> None:
        workload(estimator, home(estimator))

    def peakmem_measure(self, estimator: str) -> None:
        """Several chunks of replicates."""
        from benchmarks.homes import estimate
        from experiments.sweep import Stop

        work = workload(estimator, home(estimator))
        estimate(work, None, Stop(replicates=3 * work.chunk))
