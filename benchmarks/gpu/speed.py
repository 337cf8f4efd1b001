"""Gradients of a case on a device: gradmark, eager and compiled, beside the plain loop on the same device."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.limits import limits
from benchmarks.peers.compare import faults, known_gradient, moments
from benchmarks.peers.networks import problem_of
from benchmarks.peers.ours import drawing
from benchmarks.peers.torch_layers import layers_gradient
from benchmarks.peers.torch_loop import loop, one_gradient
from benchmarks.peers.work import CASES, PROGRAMS, Case, rate
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.machine.memory import peak_memory
from experiments.timing.rounds import Timed, time_gradients

__all__ = ["COMPILED", "DEVICE_CASES", "EAGER", "LOOP", "Speed", "plain"]

EAGER, COMPILED, LOOP = "gradmark", "gradmark, compiled", "plain loop"
DEVICE_CASES = [case if case.name != "F" else Case("F", "autoencoder-medium", "iwae", 10) for case in CASES]
"""Those of the peers; the images of F are at hand, so that nothing has to be installed for them."""


def plain(case: Case, device: str) -> Callable[[], torch.Tensor]:
    """One gradient as plain torch computes it."""
    return layers_gradient(case, device) if case.name in PROGRAMS else one_gradient(case, device)


@dataclass(frozen=True)
class Speed:
    """How often and how long is measured, on a device."""

    device: str
    rounds: int
    seconds: float
    """Of a block."""
    check_seconds: float
    loops: int
    """Gradients of the plain loop in a block."""
    others: int
    """Replicates of another estimator, where nobody knows the gradient."""

    def rows(self, case: Case, compile: bool) -> list[dict[str, Any]]:
        """Gradmark, eager or compiled, beside the plain loop; with the eager one the limits of the generators too.

        A ratio is formed within a round.
        """
        name = COMPILED if compile else EAGER
        made = problem_of(case), make_estimator(case.estimator), case.num_samples
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            work = prepare(*made, device=self.device, compile=compile)
            block, size = drawing(work)
            blocks = {name: block, LOOP: loop(plain(case, self.device), self.loops)}
            checked = {each: moments(call, self.check_seconds) for each, call in blocks.items()}
        notes = [str(warning.message) for warning in caught if "could not be compiled" in str(warning.message)]
        wrong = faults({"gradmark": checked[name]} | checked, known(case, self.device, self.others))
        beside, left_out = ({}, []) if compile else limits(case, self.device)
        seconds = self._seconds({name: (block, size), LOOP: (blocks[LOOP], self.loops)} | beside)
        rows = [self._row(case, each, seconds, wrong.get(each, "")) for each in seconds if not compile or each == name]
        return [rows[0] | self._device_figures(work) | {"notes": "; ".join([*notes, *left_out])}, *rows[1:]]

    def _seconds(self, timed: dict[str, tuple[Callable[[], object], int]]) -> dict[str, np.ndarray]:
        found = {name: np.empty(self.rounds) for name in timed}
        for index in range(self.rounds):
            for name, (call, size) in timed.items():
                found[name][index] = self._per_call(call) / size
        return found

    def _per_call(self, call: Callable[[], object]) -> float:
        calls, began = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - began < self.seconds:
            call()
            self._wait()
            calls += 1
        return (time.perf_counter() - began) / calls

    def _wait(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)

    @staticmethod
    def _row(case: Case, name: str, seconds: dict[str, np.ndarray], wrong: str) -> dict[str, Any]:
        return rate(case, name, seconds[name], seconds[LOOP] / seconds[name]) | {"wrong": wrong}

    def _device_figures(self, work: Workload) -> dict[str, float]:
        """Of a chunk the time by events and the memory, and eagerly the latency at R = 1 and the time of its kernels.

        On a CPU what a compiled gradient holds is not seen, and there are no events.
        """
        figures: dict[str, float] = {}
        if not work.is_compiled:
            (timing,) = time_gradients([Timed.of(work)], self.rounds)
            figures |= {"latency": timing.seconds_per_gradient.value, "kernels": timing.kernel_seconds}
        if self.device == "cpu":
            return figures if work.is_compiled else figures | {"peak_bytes": self._peak(work)}
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work.gradients(0)
        end.record()
        self._wait()
        return figures | {"events": begin.elapsed_time(end) * 1e-3 / work.chunk, "peak_bytes": self._peak(work)}

    @staticmethod
    def _peak(work: Workload) -> int:
        return peak_memory(lambda: work.gradients(0), work.device)


@cache
def known(case: Case, device: str, others: int) -> np.ndarray:
    """The gradient that means are compared with, found once."""
    return known_gradient(case, device, others)
