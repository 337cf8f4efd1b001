"""Start-up time of the command line and memory of `measure`: `python -m benchmarks.startup`.

Exits with 3 where a target is missed.
"""

import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

HELP_SECONDS = 0.3
LIST_SECONDS = 3.0
RUNS = 5
FEW, MANY = 100_000, 1_000_000
GRADIENT_BYTES = 20 * 4
"""Bytes of a gradient of the problem that is measured: float32 in 20 parameters."""
PEAK_OF_MEASURE = """
import resource, sys
from estimators.registry import make_estimator, make_problem
from experiments import measure
problem, estimator = make_problem("gaussian-quadratic"), make_estimator("pathwise")
measure(problem, estimator, 10, replicates=int(sys.argv[1]), max_seconds=None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def main() -> int:
    wall, cpu = least_seconds([sys.executable, "-c", "import torch"])
    print(f"import torch     {wall:.2f} s ({cpu:.2f} s of CPU), which every command but --help needs")
    met = [command(["--help"], HELP_SECONDS), command(["list"], LIST_SECONDS), memory()]
    return 0 if all(met) else 3


def command(arguments: list[str], target: float) -> bool:
    script = shutil.which("gradmark", path=str(Path(sys.executable).parent))
    line = f"gradmark {' '.join(arguments)}"
    if script is None or subprocess.run([script, *arguments], capture_output=True).returncode:
        print(f"{line:16} not yet: the command is not installed or fails")
        return False
    wall, cpu = least_seconds([script, *arguments])
    met = wall < target
    print(f"{line:16} {wall:.2f} s ({cpu:.2f} s of CPU), target below {target} s: {'met' if met else 'MISSED'}")
    return met


def least_seconds(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a process, the least of a few runs: other load only ever adds."""
    wall, cpu = zip(*(seconds(arguments) for _ in range(RUNS)), strict=True)
    return min(wall), min(cpu)


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a process."""
    began, before = time.perf_counter(), cpu_seconds_of_children()
    subprocess.run(arguments, check=True, capture_output=True)
    return time.perf_counter() - began, cpu_seconds_of_children() - before


def cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def memory() -> bool:
    """Peak memory at two numbers of replicates; flat: grows by under a tenth of what keeping them would take."""
    few, many = peak_of_measure(FEW), peak_of_measure(MANY)
    met = many - few < (MANY - FEW) * GRADIENT_BYTES / 10
    sizes = f"{few / 2**20:.0f} MiB at {FEW:,} replicates, {many / 2**20:.0f} MiB at {MANY:,}"
    print(f"peak of measure  {sizes}, target flat: {'met' if met else 'MISSED'}")
    return met


def peak_of_measure(replicates: int) -> int:
    """Peak resident bytes of a process that measures."""
    arguments = [sys.executable, "-c", PEAK_OF_MEASURE, str(replicates)]
    return int(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
