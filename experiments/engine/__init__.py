"""Run the cells of a sweep: in this process, in worker processes, or on a Dask cluster, with one writer of results.

`coordinator` says what is done in which order, `work` what is done for a cell, `executor` who does it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.engine.choice import choose_executor as choose_executor
    from experiments.engine.coordinator import Outcome as Outcome
    from experiments.engine.coordinator import Progress as Progress
    from experiments.engine.coordinator import remaining as remaining
    from experiments.engine.coordinator import run as run
    from experiments.engine.executor import Executor as Executor
    from experiments.engine.executor import ExecutorLost as ExecutorLost

HOMES = {
    "Executor": "executor",
    "ExecutorLost": "executor",
    "Outcome": "coordinator",
    "Progress": "coordinator",
    "choose_executor": "choice",
    "remaining": "coordinator",
    "run": "coordinator",
}
__all__ = list(HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import on first use: a worker computes cells without the store and its frames, which take seconds to import."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
