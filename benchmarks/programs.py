"""What a program costs beside the same problem by hand, and beside a shorter program: `python -m benchmarks.programs`.

A program of one variable is timed in turn with the problem written for all samples at once, compiled and eager, in the
chunks in which they are measured; a ratio is formed within a round. Their gradients are first checked to be equal.
Programs of T steps are timed in turn, in chunks of as many replicates: the time of score-function has to be linear in
T. Exits with 3 where a target is missed.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.distributions import Bernoulli, Normal

from benchmarks.speed import seconds_per_call, use_one_core
from estimators import Params, Problem, Program
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload

__all__ = ["Bits", "Cosine", "Walk", "main"]

NUM_SAMPLES = 10
COMPILED, EAGER = 1.15, 1.7
"""The most that a program may take, as multiples of the problem by hand."""
STEPS = (10, 20, 40)
CHUNK = 1_024
"""Replicates of a chunk of each: in the chunks of a measurement, which hold as many numbers, longer ones have fewer."""
LINEAR = 1.15
"""The most that a step of a long program may take, as a multiple of one of a program half as long."""
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"


@dataclass(frozen=True)
class Cosine(Program):
    """gaussian-cosine, written for one sample."""

    of: ClassVar[Problem] = make_problem("gaussian-cosine:dim=10")

    @property
    def spec(self) -> str:
        return self.of.spec  # which the seeds follow from

    def initial_params(self) -> Params:
        return self.of.initial_params()

    def run(self, params: Any, sample: Callable[..., Any]) -> Any:
        yield sample("x", Normal(params["loc"], params["log_scale"].exp())).cos().sum()


@dataclass(frozen=True)
class Bits(Program):
    """bernoulli-toy, written for one sample."""

    of: ClassVar[Problem] = make_problem("bernoulli-toy:dim=10")

    @property
    def spec(self) -> str:
        return self.of.spec

    def initial_params(self) -> Params:
        return self.of.initial_params()

    def run(self, params: Any, sample: Callable[..., Any]) -> Any:
        yield ((sample("x", Bernoulli(logits=params["logits"])) - 0.499) ** 2).mean()


@dataclass(frozen=True)
class Walk(Program):
    """A walk of T steps, each towards home; what is paid is known after each of them."""

    steps: int

    def initial_params(self) -> Params:
        return {"logit": torch.tensor(0.3), "pull": torch.tensor(0.1)}

    def run(self, params: Any, sample: Callable[..., Any]) -> Any:
        position = torch.zeros_like(params["logit"])
        for t in range(self.steps):
            step = sample(f"step{t}", Bernoulli(logits=params["logit"] - params["pull"] * position))
            position = position + 2 * step - 1
            yield position**2


PAIRS = [(Cosine(), "pathwise"), (Cosine(), LEAVE_ONE_OUT), (Bits(), LEAVE_ONE_OUT)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["pairs", "lengths"], help="half of it (default: all)")
    parser.add_argument("--rounds", type=int, default=15, help="at least 5 (default: %(default)s)")
    arguments = parser.parse_args()
    rounds = max(arguments.rounds, 5)
    use_one_core()
    print(f"num_samples={NUM_SAMPLES}, float32, one core, torch {torch.__version__}, {rounds} rounds")
    met, kinds = [], (True, False)
    if arguments.part != "lengths":
        met += [pair(program, spec, compile, rounds) for program, spec in PAIRS for compile in kinds]
    if arguments.part != "pairs":
        met += [lengths(compile, rounds) for compile in reversed(kinds)]
    return 0 if all(met) else 3


def pair(program: Any, spec: str, compile: bool, rounds: int) -> bool:
    """Time a program and its problem by hand in turn; whether the target is met."""
    hand, ours = (workload(one, spec, compile) for one in (program.of, program))
    _check_equal(hand, ours)
    ratios = _ratios(hand, ours, rounds)
    kind = "compiled" if compile else "eager"
    chunks = f"chunks of {hand.chunk:,} by hand, {ours.chunk:,} as a program"
    return _told(f"{program.of.spec}, {spec}, {kind} ({chunks})", ratios, COMPILED if compile else EAGER)


def lengths(compile: bool, rounds: int) -> bool:
    """Time programs of T steps; whether a step takes the same in each."""
    each = [workload(Walk(steps), LEAVE_ONE_OUT, compile).smaller(CHUNK) for steps in STEPS]
    seconds = _rounds(each, rounds)
    kind, met = "compiled" if compile else "eager", True
    for index, steps in enumerate(STEPS):
        micros, chunk = np.median(seconds[index]) * 1e6, each[index].chunk
        print(f"{steps} steps, {kind}: {micros:.3g} µs a gradient, in chunks of {chunk:,}", flush=True)
    for index in range(1, len(STEPS)):
        longer = seconds[index] / seconds[index - 1] / (STEPS[index] / STEPS[index - 1])
        met &= _told(f"a step of {STEPS[index]} against one of {STEPS[index - 1]}, {kind}", longer, LINEAR)
    return met


def workload(problem: Problem, spec: str, compile: bool) -> Workload:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as that it cannot be compiled
        return prepare(problem, make_estimator(spec), NUM_SAMPLES, compile=compile)


def _check_equal(one: Workload, other: Workload) -> None:
    """The same seeds give the same gradients but for rounding."""
    found = [w.gradient(w.params(8), w.draw(w.source("equal"), 8)) for w in (one, other)]
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-3, atol=1e-4)


def _ratios(one: Workload, other: Workload, rounds: int) -> np.ndarray:
    seconds = _rounds([one, other], rounds)
    return seconds[1] / seconds[0]


def _rounds(each: list[Workload], rounds: int) -> np.ndarray:
    """Seconds of a gradient of each workload, in chunks as they are measured, round by round."""
    seconds = np.empty((len(each), rounds))
    for one in each:
        one.gradients(0)
    for index in range(rounds):
        for place, one in enumerate(each):
            seconds[place, index] = seconds_per_call(lambda one=one: one.gradients(1)) / one.chunk
    return seconds


def _told(what: str, ratios: np.ndarray, most: float) -> bool:
    low, ratio, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    met = bool(ratio <= most)
    print(f"{what}: {ratio:.3g} ({low:.3g} to {high:.3g}), at most {most:g}: {'met' if met else 'MISSED'}", flush=True)
    return met


if __name__ == "__main__":
    sys.exit(main())
