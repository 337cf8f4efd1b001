"""The steps of the script, one after the other, until its seconds are over."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.checks import CHECKS, NEEDS_CUDA
from benchmarks.gpu.limits import philox_is_normal
from benchmarks.gpu.speed import Speed
from benchmarks.gpu.table import write
from benchmarks.peers.work import Case

__all__ = ["Run"]

NO_TIME = "left out: no time was left"
COMPILED_QUICKLY = {"A pathwise"}
"""The cases that a quick run also compiles."""


@dataclass
class Run:
    """What was found so far, which is written after each step where there is a folder for it."""

    device: str
    quick: bool
    deadline: float
    folder: Path | None = None
    checks: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    wrong: bool = False

    @property
    def _speed(self) -> Speed:
        if self.quick:
            return Speed(self.device, rounds=2, seconds=0.01, check_seconds=0.0, loops=25, others=128)
        return Speed(self.device, rounds=7, seconds=0.1, check_seconds=0.5, loops=50, others=2_048)

    def check(self) -> None:
        checks: dict[str, Callable[[str, bool], str]] = CHECKS | {"fused Philox kernel": philox_is_normal}
        for name, check in checks.items():
            self.checks[name] = self._checked(name, check)
            print(f"{name:24}{self.checks[name]}", flush=True)
            self._write()

    def _checked(self, name: str, check: Callable[[str, bool], str]) -> str:
        if name in NEEDS_CUDA and self.device == "cpu":
            return "left out: needs CUDA"
        if time.monotonic() > self.deadline:
            return NO_TIME
        try:
            return f"right: {check(self.device, self.quick)}"
        except ImportError as error:
            return f"left out: {error}"
        except Exception as error:  # the other steps may still tell something
            self.wrong = True
            return f"WRONG: {type(error).__name__}: {' '.join(str(error).split())}"

    def measure(self, cases: list[Case]) -> None:
        """All cases eagerly, which is quick, and then compiled."""
        for compile in (False, True):
            for case in cases:
                if compile and self.quick and case.name not in COMPILED_QUICKLY:
                    continue
                self.rows += self._measured(case, compile)
                self._write()

    def _measured(self, case: Case, compile: bool) -> list[dict[str, Any]]:
        name = "gradmark, compiled" if compile else "gradmark"
        try:
            if time.monotonic() > self.deadline:
                raise TimeoutError(NO_TIME)
            found = self._speed.rows(case, compile)
        except TimeoutError as error:
            found = [{"case": case.name, "implementation": name, "notes": str(error)}]
        except Exception as error:
            self.wrong = True
            text = f"WRONG: {type(error).__name__}: {' '.join(str(error).split())}"
            found = [{"case": case.name, "implementation": name, "notes": text}]
        for row in found:
            self.wrong |= bool(row.get("wrong"))
            print(_line(row), flush=True)
        return found

    def _write(self) -> None:
        if self.folder is not None:
            write(self.rows, self.checks, self.device, self.folder)


def _line(row: dict[str, Any]) -> str:
    text = f"{row['case']:18}{row['implementation']:22}"
    if "ratio" in row:
        text += f"{row['gradients_per_second']:14,.0f} gradients/s{row['ratio']:10.3g} times the plain loop"
    if not np.isnan(row.get("peak_bytes", np.nan)):
        text += f"  {row['peak_bytes'] / 1e6:,.0f} MB"
    remarks = [row[name] for name in ("notes", "wrong") if row.get(name)]
    return "  ".join([text, *(f"WRONG: {one}" if one == row.get("wrong") else one for one in remarks)])
