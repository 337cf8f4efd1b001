"""Cells with results to put into a store, in this process or in one that dies."""

import os
import subprocess
import sys
from pathlib import Path

from experiments.store import Store
from experiments.store.columns import stored
from experiments.sweep import Cell

__all__ = ["CELLS", "ENTRY", "KEYS", "PRELUDE", "RESULT", "filled", "python"]

CELLS = [Cell(estimator, "bowl", n) for estimator in ("plain", "two-knobs") for n in (1, 10)]
KEYS = [cell.key for cell in CELLS]
RESULT = {"total_variance": 2.5, "total_variance_low": 2.0, "replicates": 20_000, "verdict": "unbiased", "fitted": True}
ENTRY = {"parameter": "loc", "index": 0, "mean": 1.5, "variance": 0.25}

PRELUDE = f"""
import os, signal
from types import SimpleNamespace
from experiments.store import Store

POINTS = {[{name: getattr(c, name) for name in stored("point")} for c in CELLS]}
CELLS = [SimpleNamespace(**point, train=None) for point in POINTS]
RESULT, ENTRY = {RESULT}, {ENTRY}

class Bomb:
    def item(self):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, beside a number (`Bomb`) that kills the process while it is being written."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, env=environment)


def filled(folder: Path) -> Path:
    with Store.open(folder) as store:
        store.add_run({"cpu": "some"}, KEYS)
        for cell in CELLS:
            store.put_statistics(cell, RESULT, parameters=[ENTRY] * 50)
            store.put_timing(cell.key, {}, {"latency": [1.0] * 20})
    return folder / "results.sqlite"
