"""Run the cells of a sweep: in this process, in worker processes, or on a Dask cluster, with one writer of results.

`coordinator` says what is done in which order, `work` what is done for a cell, `executor` who does it.
"""

from experiments.engine.choice import choose_executor
from experiments.engine.coordinator import Outcome, Progress, remaining, run
from experiments.engine.executor import Executor, ExecutorLost

__all__ = ["Executor", "ExecutorLost", "Outcome", "Progress", "choose_executor", "remaining", "run"]
