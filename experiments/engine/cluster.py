"""Tasks on an existing Dask cluster (https://distributed.dask.org); TLS and patience as Dask's configuration says."""

import os
import platform
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, final

from distributed import Client, KilledWorker, get_worker

from estimators.registry import load_plugin, plugin_files, unload_plugin
from experiments.engine.executor import Concurrent, ExecutorLost, Task
from experiments.engine.work import Failure

__all__ = ["Cluster"]

PACKAGES = ("gradmark", "torch", "numpy")
TOPIC = "gradmark"
CONNECT_SECONDS = 10
LOOK_SECONDS = 1.0
"""Seconds between looks at how many workers there are."""
GRACE_SECONDS = 2.0
"""Seconds from the end of a task's time to the end of its worker."""

Plugin = tuple[tuple[str, str], ...]
"""A plug-in file and the modules beside it that it imports: the name of each in their folder, and its text."""


@final
class Cluster(Concurrent):
    """One task a worker; cells on a GPU go where a worker offers `--resources GPU=1`.

    Dask gives the task of a lost worker to another one, and gives up on it after a few. A task past the limit is given
    up at once; its worker then ends itself, and Dask's nanny starts another.
    """

    def __init__(self, address: str, timeout: float | None = None, plugins: Sequence[str] = ()) -> None:
        self._address = address
        super().__init__(timeout)
        self._files = plugins
        self._begun: dict[str, float] = {}
        self._running: dict[Future, tuple[str, Task]] = {}
        self._overdue: set[Future] = set()
        self._looked = 0.0
        self._seen = 1
        try:
            self._client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:  # TypeError: TLS that is not configured
            raise ValueError(f"no Dask scheduler at {address} ({_line(error)}); `dask scheduler` starts one") from None
        self._client.subscribe_topic(TOPIC, self._note)

    @cached_property
    def _plugins(self) -> tuple[Plugin, ...]:
        """Read when the first task is sent: the plug-ins are loaded then, and their neighbours known."""
        return tuple(map(_read, self._files))

    def check(self, devices: Sequence[str]) -> None:
        with self._alive():
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
            found = self._client.run(_remotely(PACKAGES))
        if not workers:
            raise ValueError(f"the scheduler at {self._address} has no workers; `dask worker` starts them")
        if set(devices) - {"cpu"} and not any(worker["resources"].get("GPU") for worker in workers.values()):
            raise ValueError("no worker offers a GPU; `dask worker ADDRESS --resources GPU=1` starts one that does")
        here = _remotely(PACKAGES)()
        for worker, there in found.items():
            for package, wanted in here.items():
                if there[package] != wanted:
                    has = f"{package} {there[package]}" if there[package] else f"no {package}"
                    raise ValueError(f"worker {worker} has {has}, and here is {wanted}; install the same everywhere")

    def capacity(self) -> int:
        if time.monotonic() > self._looked + LOOK_SECONDS:
            with self._alive():
                self._seen = len(self._client.nthreads())
            self._looked = time.monotonic()
        return max(1, self._seen)

    def submit(self, task: Task) -> Future:
        token = uuid.uuid4().hex
        resources = None if task.device == "cpu" else {"GPU": 1}
        with self._alive():
            executor = self._client.get_executor(pure=False, resources=resources)
            future = executor.submit(_carry_out, token, task.function, task.arguments, self._plugins, self.limit(task))
        self._running[future] = token, task
        return future

    def answer(self, task: Task, future: Future) -> Any:
        token, _ = self._running.pop(future)
        self._begun.pop(token, None)
        late = future in self._overdue and not future.done()
        self._overdue.discard(future)
        if late:
            future.cancel()
            return self.stopped()
        try:
            return future.result()
        except CancelledError:
            raise self._lost() from None
        except KilledWorker as error:
            return Failure("failed", f"all workers that tried it died ({error.allowed_failures + 1} of them)")
        except Exception as error:
            return Failure.of(error)

    def overdue(self) -> list[Future]:
        now = time.monotonic()
        for future, (token, task) in self._running.items():
            limit = self.limit(task)
            if limit is not None and not future.done() and now > self._begun.get(token, now) + limit:
                self._overdue.add(future)
        return list(self._overdue)

    def close(self) -> None:
        for future in self._running:
            future.cancel()
        self._running.clear()
        self._client.close(timeout=GRACE_SECONDS)

    def _note(self, event: tuple[float, Any]) -> None:
        """Hears that a worker begins a task, which another worker may have begun before."""
        self._begun[event[1]] = time.monotonic()

    def _lost(self) -> ExecutorLost:
        return ExecutorLost(f"lost the Dask scheduler at {self._address}; what came back is kept, repeat to go on")

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, TimeoutError, CancelledError):
            raise self._lost() from None


def _read(file: str) -> Plugin:
    own, *beside = plugin_files(file)
    inside = [path for path in beside if path.is_relative_to(own.parent)]
    return tuple((str(path.relative_to(own.parent)), path.read_text("utf-8")) for path in (own, *inside))


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _remotely(packages: Sequence[str]) -> Callable[[], dict[str, str]]:
    """A function that finds versions. Being nested, it travels as code, to where gradmark may not be installed."""

    def versions() -> dict[str, str]:
        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for package in packages:
            try:
                found[package] = version(package).partition("+")[0]
            except PackageNotFoundError:
                found[package] = ""
        return found

    return versions


# On a worker

_loaded: list[Plugin] = []
_one_at_a_time = threading.Lock()  # a process has one switch for argument checks and one global generator


def _carry_out(
    token: str, function: Callable[..., Any], arguments: tuple, plugins: tuple[Plugin, ...], limit: float | None
) -> Any:
    with _one_at_a_time, _limited(limit):
        get_worker().log_event(TOPIC, token)
        _load(plugins)
        return function(*arguments)


@contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """End the process some time after the limit, since a computation in it cannot be stopped."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds + GRACE_SECONDS, os._exit, [1])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """A folder that is removed when the process of the worker ends."""
    return tempfile.TemporaryDirectory(prefix="gradmark-")


def _file(index: int, name: str) -> Path:
    return Path(_folder().name, str(index), name)


def _load(plugins: tuple[Plugin, ...]) -> None:
    """Load the plug-ins of this run in place of those of the run before."""
    if _loaded == [*plugins]:
        return
    for index, ((own, _), *_) in enumerate(_loaded):
        unload_plugin(_file(index, own))
        shutil.rmtree(_file(index, "."))
    _loaded.clear()
    for index, plugin in enumerate(plugins):
        for name, text in plugin:
            _file(index, name).parent.mkdir(parents=True, exist_ok=True)
            _file(index, name).write_text(text, "utf-8")
        load_plugin(_file(index, plugin[0][0]))
        _loaded.append(plugin)
