"""Start-up time of the command line and memory of `measure`: `python -m benchmarks.startup`.

Exits with 3 where a target is missed.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

HELP_SECONDS = 0.3
LIST_SECONDS = 3.0
RUNS = 5
FEW, MANY = 100_000, 2_000_000
GRADIENT_BYTES = 20 * 4
"""Of the problem that is measured: float32 gradients in 20 parameters."""
PEAK_OF_MEASURE = """
import resource, sys
from estimators.registry import make_estimator, make_problem
from experiments import measure
measure(make_problem("gaussian-quadratic"), make_estimator("pathwise"), 10, replicates=int(sys.argv[1]), max_seconds=None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def main() -> int:
    met = [command(["--help"], HELP_SECONDS), command(["list"], LIST_SECONDS), memory()]
    return 0 if all(met) else 3


def command(arguments: list[str], target: float) -> bool:
    """Median wall-clock seconds of a command, from nothing to its end."""
    script = shutil.which("gradmark", path=str(Path(sys.executable).parent))
    line = f"gradmark {' '.join(arguments)}"
    if script is None or subprocess.run([script, *arguments], capture_output=True).returncode:
        print(f"{line:16} not yet: the command is not installed or fails")
        return False
    seconds = median(wall_seconds([script, *arguments]) for _ in range(RUNS))
    met = seconds < target
    print(f"{line:16} {seconds:.2f} s, target below {target} s: {'met' if met else 'MISSED'}")
    return met


def wall_seconds(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True)
    return time.perf_counter() - began


def memory() -> bool:
    """Peak memory at two numbers of replicates; flat where it grows by under a tenth of what keeping them would take."""
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
