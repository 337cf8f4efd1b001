"""The executor that a run asks for."""

import math
from collections.abc import Sequence

from experiments.engine.executor import Executor
from experiments.engine.pool import LocalPool
from experiments.engine.serial import Serial

__all__ = ["choose_executor"]

MAX_JOBS = 1024


def choose_executor(
    *, jobs: int | None = None, scheduler: str | None = None, timeout: float | None = None, plugins: Sequence[str] = ()
) -> Executor:
    """This process; `jobs` worker processes, also where there is a `timeout` in seconds a cell; or a Dask cluster.

    Raises:
        ValueError: both are asked for, a number is out of range, or the cluster cannot be used.
    """
    if jobs is not None and scheduler is not None:
        raise ValueError("--jobs is for this machine and --scheduler for a cluster; give one of them")
    if jobs is not None and not 1 <= jobs <= MAX_JOBS:
        raise ValueError(f"--jobs must lie between 1 and {MAX_JOBS}, not {jobs}")
    if timeout is not None and not 0 < timeout < math.inf:
        raise ValueError(f"--timeout must be above 0 and finite, not {timeout:g}")
    if scheduler is not None:
        return _cluster(scheduler, timeout, plugins)
    if jobs is None and timeout is None:
        return Serial()
    return LocalPool(jobs or 1, timeout, plugins)


def _cluster(scheduler: str, timeout: float | None, plugins: Sequence[str]) -> Executor:
    try:
        from experiments.engine.cluster import Cluster
    except ImportError:
        raise ValueError("--scheduler needs Dask's distributed: pip install 'gradmark[cluster]'") from None
    return Cluster(scheduler, timeout, plugins)
