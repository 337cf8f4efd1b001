"""Gradients per second of `measure` on one core, as ratios to a plain loop: `python -m benchmarks.speed`.

Each round times the plain loop, eager gradmark and compiled gradmark one after the other; a ratio is formed within a
round, so that what else the machine does hits both sides. Exits with 1 where a mean is wrong, with 3 where a target is
missed.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.peers import work
from benchmarks.peers.torch_loop import loop, one_gradient
from benchmarks.peers.work import Moments
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.moments import Sampling

PROBLEM = "gaussian-quadratic:dim=10"
NUM_SAMPLES = 10
BLOCK_SECONDS = 0.15
CHECK_REPLICATES = 2_000
LARGEST_Z = 5.0
"""Standard errors that the mean of one of 20 parameters may be off: exceeded by chance once in 80,000 checks."""


@dataclass(frozen=True)
class Case:
    """An estimator, and the ratios to its plain loop that are to be reached."""

    spec: str
    eager: float
    compiled: float

    def plain(self, replicates: int) -> Moments:
        return loop(one_gradient(work.Case("A", PROBLEM, self.spec, NUM_SAMPLES)), replicates)()


CASES = [
    Case("pathwise", eager=50, compiled=130),
    Case("score-function:control_variate=leave-one-out", eager=80, compiled=220),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="at least 5 (default: %(default)s)")
    rounds = max(parser.parse_args().rounds, 5)
    use_one_core()
    torch.manual_seed(0)
    print(f"{PROBLEM}, num_samples={NUM_SAMPLES}, float32, one core, torch {torch.__version__}, {rounds} rounds")
    try:
        met = [compare(case, rounds) for case in CASES]
    except WrongMean as error:
        print(error)
        return 1
    return 0 if all(met) else 3


def use_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)


class WrongMean(Exception):
    """An implementation does not estimate the gradient."""


def compare(case: Case, rounds: int) -> bool:
    """Check and time the three implementations; print the figures; whether both targets are met."""
    eager, compiled = sampling(case.spec, compile=False), sampling(case.spec, compile=True)
    assert eager.reference is not None
    exact = eager.reference.gradient
    deviations = {
        "plain loop": plain_deviation(case, exact),
        "eager": sampled_deviation(eager, exact),
        "compiled": sampled_deviation(compiled, exact),
    }
    for name, z in deviations.items():
        if not z < LARGEST_Z:
            raise WrongMean(f"{case.spec}, {name}: the mean is {z:.1f} standard errors from the exact gradient")

    replicates = plain_block(case)
    blocks = {
        "plain loop": (lambda: case.plain(replicates), replicates),
        "eager": (lambda: eager.grow(eager.block), eager.block),
        "compiled": (lambda: compiled.grow(compiled.block), compiled.block),
    }
    seconds = {name: np.empty(rounds) for name in blocks}
    for index in range(rounds):
        for name, (step, size) in blocks.items():
            seconds[name][index] = seconds_per_call(step) / size

    print(f"\n{case.spec}")
    print(f"{'':12}{'gradients/s':>12}{'ratio':>8}{'quartiles':>16}{'target':>8}{'':8}mean off by")
    met = True
    for name, target in (("plain loop", 1.0), ("eager", case.eager), ("compiled", case.compiled)):
        low, ratio, high = np.quantile(seconds["plain loop"] / seconds[name], [0.25, 0.5, 0.75])
        verdict = "" if name == "plain loop" else "met" if ratio >= target else "MISSED"
        met &= verdict != "MISSED"
        figures = f"{1 / np.median(seconds[name]):12,.0f}{ratio:8.0f}{f'{low:.0f} to {high:.0f}':>16}{target:8.0f}"
        print(f"{name:12}{figures} {verdict:7}{deviations[name]:.1f} standard errors")
    return met


def sampling(spec: str, compile: bool) -> Sampling:
    workload = prepare(make_problem(PROBLEM), make_estimator(spec), NUM_SAMPLES, compile=compile)
    return Sampling(workload, find_reference(workload))


def plain_deviation(case: Case, exact: np.ndarray) -> float:
    replicates, mean, variance = case.plain(CHECK_REPLICATES)
    return largest_z(mean, variance, replicates, exact)


def sampled_deviation(sampling: Sampling, exact: np.ndarray) -> float:
    sampling.grow(sampling.block)
    assert sampling.groups is not None
    return largest_z(sampling.groups.overall_mean, sampling.groups.variance, sampling.replicates, exact)


def largest_z(mean: np.ndarray, variance: np.ndarray, replicates: int, exact: np.ndarray) -> float:
    return float(np.max(np.abs(mean - exact) / np.sqrt(variance / replicates)))


def plain_block(case: Case) -> int:
    """Replicates of the plain loop that fill a block."""
    began = time.perf_counter()
    case.plain(100)
    return max(100, round(100 * BLOCK_SECONDS / (time.perf_counter() - began)))


def seconds_per_call(step: Callable[[], object]) -> float:
    """Mean over the calls that fill a block, at least one."""
    calls, began = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - began < BLOCK_SECONDS:
        step()
        calls += 1
    return (time.perf_counter() - began) / calls


if __name__ == "__main__":
    sys.exit(main())
