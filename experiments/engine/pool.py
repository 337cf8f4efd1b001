"""Tasks in worker processes of this machine, one torch thread each."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, connection, get_context, parent_process, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any, final

import torch
from pebble import ProcessExpired, ProcessPool

from estimators.registry import load_plugin
from experiments.engine.executor import Concurrent, Died, ExecutorLost, Task, check_devices
from experiments.engine.work import Failure

__all__ = ["LocalPool"]

SILENCE_SECONDS = 1.0
"""Seconds from the end of a process to giving up its answer, which may still be on its way."""


@final
class LocalPool(Concurrent):
    """`jobs` processes. One that dies costs its task alone, one that runs past the limit is killed.

    Each process is a pool of its own, thrown away when it dies: what it held or left half-written stops no other.
    """

    def __init__(self, jobs: int, timeout: float | None = None, plugins: Sequence[str] = ()) -> None:
        self._jobs = jobs
        super().__init__(timeout)
        self._plugins = tuple(plugins)
        self._idle: list[ProcessPool] = []
        self._busy: dict[Future, ProcessPool] = {}
        self._processes: dict[ProcessPool, set[BaseProcess]] = {}
        self._silent: dict[Future, float] = {}

    def check(self, devices: Sequence[str]) -> None:
        check_devices(devices)

    def capacity(self) -> int:
        return self._jobs

    def submit(self, task: Task) -> Future:
        while True:
            pool = self._idle.pop() if self._idle else self._start()
            try:
                future = pool.schedule(task.function, args=task.arguments, timeout=self.limit(task))
            except RuntimeError:  # its process died between two tasks
                self._discard(pool)
                continue
            self._busy[future] = pool
            return future

    def overdue(self) -> list[Future]:
        """Pebble says nothing of a process that ended with exit code 0, or died while it was handed a task."""
        now = time.monotonic()
        for future, pool in self._busy.items():
            if not future.done() and not (pool.active and any(one.is_alive() for one in self._processes[pool])):
                self._silent.setdefault(future, now)
        return [future for future, since in self._silent.items() if now > since + SILENCE_SECONDS]

    def answer(self, task: Task, future: Future) -> Any:
        pool = self._busy.pop(future)
        self._silent.pop(future, None)
        if not future.done():
            self._discard(pool)
            raise Died("the worker process ended without an answer")
        try:
            value = future.result()
        except (ProcessExpired, BrokenProcessPool) as error:
            self._discard(pool)
            code = error.exitcode if isinstance(error, ProcessExpired) else None
            raise Died(f"the worker process {_fate(code)}") from None
        except TimeoutError:
            self._discard(pool)
            return self.stopped()
        except Exception as error:  # the answer could not be sent
            value = Failure.of(error)
        self._idle.append(pool)
        return value

    def close(self) -> None:
        pools = [*self._idle, *self._busy.values()]
        for known in (self._idle, self._busy, self._processes, self._silent):
            known.clear()
        for pool in pools:
            pool.stop()
        for pool in pools:
            pool.join()

    def _discard(self, pool: ProcessPool) -> None:
        self._processes.pop(pool, None)
        pool.stop()
        pool.join()

    def _start(self) -> ProcessPool:
        # Ctrl-C reaches the whole process group; a worker that is still starting must not die of it. The tracker of
        # multiprocessing unblocks the signal when it is first started.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pool = ProcessPool(1, initializer=_begin, initargs=(self._plugins,), context=get_context("spawn"))
            before = set(active_children())
            if not pool.active:  # which starts it
                raise ExecutorLost("a worker process could not be started; repeat with fewer --jobs")
            self._processes[pool] = set(active_children()) - before
            return pool
        except (OSError, BrokenProcessPool) as error:
            text = f"a worker process could not be started ({error or type(error).__name__})"
            raise ExecutorLost(f"{text}; what came before is kept, repeat with fewer --jobs") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _fate(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code}" if code is not None else "could not be started"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (", as the system does when memory runs out" if name == "SIGKILL" else "")


def _begin(plugins: Sequence[str]) -> None:
    """The start of a worker: it ends with its parent, and prints nothing."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    torch.set_num_threads(1)
    for plugin in plugins:
        load_plugin(plugin)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
