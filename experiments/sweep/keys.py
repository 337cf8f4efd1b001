"""The keys of a sweep file.

A sweep is the union of its estimators, problems, `num_samples`, devices and dtypes, minus what `[[exclude]]` names::

    description = "Two estimators of one gradient"
    num_samples = [1, 10]

    [[estimator]]
    name = "score-function"
    control_variate = ["none", "leave-one-out"]

    [[problem]]
    name = "gaussian-quadratic"

    [[exclude]]
    estimator = "score-function:control_variate=leave-one-out"
    num_samples = 1

    [stop]
    rtol = 0.05

With `experiment = "train"` each cell optimises, once for each seed and all seeds at once; `[train]` takes the place of
`[stop]`, and lists in it are more axes of the grid::

    experiment = "train"

    [train]
    optimizer = "adam"
    learning_rate = [0.001, 0.01]
    steps = 2_000
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from estimators.interface.specs import check_known
from experiments.measuring.stop import Stop
from experiments.sweep.convert import convert
from experiments.sweep.published import Published
from experiments.training.settings import Optimizer, Train

__all__ = ["Exclude", "Sweep", "Timing", "Training", "check_name"]

MAX_SAMPLES = 10**9
MAX_SEED = 2**63 - 1  # what SQLite and a torch generator both hold
DTYPES = ("float32", "float64")
DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,2})?")
NAME = re.compile(r"\w[\w.+-]{0,59}")  # a folder name: no separators, no "..", short enough for any file system

NumSamples = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAMPLES)]
Batch = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAMPLES)]
Order = Literal[1, 2]
Component = str | dict[str, Any]


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How gradients are timed. Not a part of a cell's key: it changes no statistic."""

    enabled: bool = True
    rounds: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 7


class Exclude(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Leaves out the cells that match every key given. A bare component name stands for all its options."""

    estimator: tuple[str, ...] = ()
    problem: tuple[str, ...] = ()
    num_samples: tuple[NumSamples, ...] = ()
    batch: tuple[Batch, ...] = ()
    order: tuple[Order, ...] = ()
    device: tuple[str, ...] = ()
    dtype: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not any(getattr(self, key) for key in self.__struct_fields__):
            raise ValueError(f"give at least one of {', '.join(self.__struct_fields__)}")
        _check_places(self.device, self.dtype)


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How cells of `experiment = "train"` optimise: the settings of `Train`, of which these may be lists."""

    optimizer: tuple[Optimizer, ...] = ("adam",)
    learning_rate: tuple[float, ...] = (0.01,)
    batch: tuple[int, ...] = (0,)
    steps: int = 1_000
    record: int = 100
    seeds: int = 5

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> list[Train]:
        """One for each cell of a point of the grid. ValueError: a value is out of range."""
        axes = itertools.product(self.optimizer, self.learning_rate, self.batch)
        found = [Train(*place, self.steps, self.record, self.seeds) for place in dict.fromkeys(axes)]
        if not found:
            raise ValueError("optimizer, learning_rate and batch need a value each; leave one out for its default")
        return found


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checked sweep. The names of its components are checked by `cells_of`, once its plug-ins are known."""

    name: str = "unnamed"
    description: str = ""
    experiment: Literal["measure", "train"] = "measure"
    estimator: tuple[Component, ...] = ()
    problem: tuple[Component, ...] = ()
    num_samples: tuple[NumSamples, ...] = (10,)
    batch: tuple[Batch, ...] = (0,)
    """Data points of the mini-batch that each replicate has, so that the variance is what a training sees; 0: all."""
    order: tuple[Order, ...] = (1,)
    """1: gradients; 2: the Hessian times a direction."""
    device: tuple[str, ...] = ("cpu",)
    dtype: tuple[str, ...] = ("float32",)
    seed: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEED)] = 0
    compile: bool | Literal["auto"] = False
    """Whether to compile gradients; with "auto" where a cell takes so many element-samples that it pays. Times are of
    the eager gradient."""
    plugins: tuple[str, ...] = ()
    exclude: tuple[Exclude, ...] = ()
    stop: Stop = Stop()
    reference: bool = True
    """Compare with the exact gradient or, where it is not known, with a measured one; without it there are no
    biases."""
    rounding: bool = False
    """Compare the first gradients of each cell with float64 on the same noise; see `experiments.measuring.rounding`."""
    timing: Timing = Timing()
    train: Training | None = None
    published: tuple[Published, ...] = ()
    """Figures of papers, which `gradmark reproduce` measures again."""

    def __post_init__(self) -> None:
        check_name(self.name)
        self._check_experiment()
        for key in ("num_samples", "batch", "order", "device", "dtype"):
            if not getattr(self, key):
                raise ValueError(f"{key} is an empty list; leave it out for its default")
        _check_places(self.device, self.dtype)

    def with_overrides(
        self,
        *,
        name: str | None = None,
        estimators: Sequence[str] = (),
        problems: Sequence[str] = (),
        num_samples: str = "",
        device: str = "",
        dtype: str = "",
        seed: int | None = None,
        compile: bool | Literal["auto"] | None = None,
        plugins: Sequence[str] = (),
        rtol: float | None = None,
        max_replicates: int | None = None,
        max_seconds: float | None = None,
    ) -> "Sweep":
        """This sweep with what the command line gives in place of what the file gives; plug-ins are added.

        `num_samples`, `device` and `dtype` are comma-separated lists. A precision or a budget takes the place of a
        fixed number of replicates. ValueError: a value that a file could not have either.
        """
        given: dict[str, Any] = {
            "name": name,
            "estimator": list(estimators),
            "problem": list(problems),
            "num_samples": [_whole_number(text) for text in _items(num_samples)],
            "device": _items(device),
            "dtype": _items(dtype),
            "seed": seed,
            "compile": compile,
        }
        given = {key: value for key, value in given.items() if value not in (None, [])}
        limits = {"rtol": rtol, "max_replicates": max_replicates, "max_seconds": max_seconds}
        limits = {key: value for key, value in limits.items() if value is not None}
        if limits:
            given["stop"] = dataclasses.asdict(self.stop) | {"replicates": None} | limits
        checked = convert(given, Sweep, "command line")
        changes = {key: getattr(checked, key) for key in given}
        added = tuple(str(Path(plugin).absolute()) for plugin in plugins)
        return msgspec.structs.replace(self, **changes, plugins=self.plugins + added)

    def _check_experiment(self) -> None:
        if self.experiment == "measure" and self.train is not None:
            raise ValueError('[train] needs experiment = "train"')
        if self.experiment == "train":
            for key in ("stop", "compile", "rounding", "reference", "batch", "order", "published"):
                if getattr(self, key) != self.__struct_defaults__[self.__struct_fields__.index(key)]:
                    raise ValueError(f'{key} has no place in experiment = "train", whose settings are in [train]')

    def training(self) -> list[Train] | list[None]:
        """The settings of the cells of a point of the grid; `[None]`: they measure."""
        return (self.train or Training()).settings() if self.experiment == "train" else [None]


def check_name(name: str) -> None:
    """ValueError: it cannot name a folder of results."""
    if not NAME.fullmatch(name):
        allowed = "up to 60 letters, digits and . _ + -, the first of them a letter, a digit or _"
        raise ValueError(f"name {name!r} cannot name a results folder: {allowed}")


def _check_places(devices: Sequence[str], dtypes: Sequence[str]) -> None:
    for device in devices:
        if not DEVICE.fullmatch(device):
            raise ValueError(f"device {device!r} is not known; write cpu, cuda or cuda:0")
    for dtype in dtypes:
        check_known("dtype", dtype, DTYPES)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")] if text else []


def _whole_number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text):
        raise ValueError(f"command line: num_samples {text!r} is not a whole number; write -n 1,10,100")
    return int(text)
