"""The whole of a measurement, for the cases of networks, and the memory that it takes.

`python -m benchmarks.peers.whole CASE` measures once, and prints the most bytes that the process has held.
"""

import itertools
import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.networks import EXACT, new_problem
from benchmarks.peers.torch_loop import one_gradient, running
from benchmarks.peers.work import CASES, Block, Case, Moments
from benchmarks.speed import use_one_core
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate, timed
from experiments.sweep import Stop

__all__ = ["LOOP", "MEASURE", "blocks", "peak_bytes"]

MEASURE, LOOP = "gradmark, measure", "plain loop, running moments"
REPLICATES = {"G": 4_096, "H": 4_096, "I": 4_096, "J": 1_024}
IN_LOOP = 64
"""Replicates of the loop at a time: each takes as long as the others."""


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    if case.name not in REPLICATES:
        return {}
    return {
        MEASURE: (measured(case, REPLICATES[case.name]), REPLICATES[case.name]),
        LOOP: (running(one_gradient(case), IN_LOOP), IN_LOOP),
    }


def measured(case: Case, replicates: int) -> Block:
    """What `measure` does, each time with a new problem and other noise.

    It prepares, finds the reference, estimates and times; a reference is left out where it would have to be measured,
    which the loop does not do either.
    """
    seeds = itertools.count(1)

    def block() -> Moments:
        estimator = make_estimator(case.estimator)
        workload = prepare(new_problem(case), estimator, case.num_samples, seed=next(seeds))
        reference = find_reference(workload) if case.problem in EXACT else None
        found = timed(workload, estimate(workload, reference, Stop(replicates=replicates)))
        return Moments(found.replicates, found.groups.overall_mean, found.groups.variance)

    return block


def peak_bytes(case: Case) -> int:
    """The most bytes of a process that measures once, torch and the interpreter included."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "benchmarks.peers.whole", case.name]
    return int(subprocess.run(command, cwd=root, env=os.environ, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    (case,) = (case for case in CASES if case.name == sys.argv[1])
    use_one_core()
    measured(case, REPLICATES[case.name])()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
