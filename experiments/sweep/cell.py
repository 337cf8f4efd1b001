"""One point of a sweep, and the key under which its results are stored."""

import functools
import hashlib
import math
from dataclasses import dataclass
from typing import Literal, get_args

from estimators.specs import check_known

__all__ = ["Cell", "Optimizer", "Stop", "Train"]

MAX_REPLICATES = 10**12
Optimizer = Literal["adam", "sgd"]


@dataclass(frozen=True)
class Stop:
    """When a cell has enough replicates. ValueError: out of range.

    They grow by half from 20,000 until the figures are precise enough, or a budget ends it; or there are exactly
    `replicates` of them (rounded up to a multiple of 64).
    """

    replicates: int | None = None
    """This many, whatever the precision."""
    rtol: float = 0.05
    """Relative half-width of the 95 % interval of the total variance."""
    max_replicates: int = 10_000_000
    max_seconds: float | None = None
    """Depends on the clock: the one rule under which a repeated run need not give the same numbers."""
    detect: bool = False
    """Go on until a relative bias of 1 % would have been seen."""
    max_elements: int | None = None
    """Replicates × samples × event size: bounds the time of a cell as seconds do, and gives the same numbers again."""

    def __post_init__(self) -> None:
        for key in ("replicates", "max_replicates", "max_elements"):
            value = getattr(self, key)
            if value is not None and not 1 <= value <= MAX_REPLICATES:
                raise ValueError(f"{key} must lie between 1 and {MAX_REPLICATES:,}, not {value}")
        if not 0 < self.rtol <= 1:
            raise ValueError(f"rtol must be above 0 and at most 1, not {self.rtol}")
        if self.max_seconds is not None and not 0 < self.max_seconds < math.inf:
            raise ValueError(f"max_seconds must be above 0 and finite, not {self.max_seconds}")


@dataclass(frozen=True)
class Train:
    """How a training cell optimises. ValueError: out of range."""

    optimizer: Optimizer = "adam"
    learning_rate: float = 0.01
    batch: int = 0
    """Data points of a step; 0: all of them, or a problem without data."""
    steps: int = 1_000
    record: int = 100
    """Steps from one point of the curves to the next."""
    seeds: int = 5

    def __post_init__(self) -> None:
        check_known("optimizer", self.optimizer, get_args(Optimizer))
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be above 0 and finite, not {self.learning_rate}")
        for key, least, most in (("batch", 0, 10**9), ("steps", 1, 10**9), ("record", 1, 10**9), ("seeds", 1, 1_000)):
            if not least <= getattr(self, key) <= most:
                raise ValueError(f"{key} must lie between {least} and {most:,}, not {getattr(self, key)}")


@dataclass(frozen=True)
class Cell:
    """One point of a sweep. `estimator` and `problem` are canonical specs."""

    estimator: str
    problem: str
    num_samples: int
    device: str = "cpu"
    dtype: str = "float32"
    seed: int = 0
    compile: bool | Literal["auto"] = False
    stop: Stop = Stop()
    reference: bool = True
    rounding: bool = False
    train: Train | None = None
    """None: the estimator is measured."""
    code: str = ""
    """Version of the package, and digests of the plug-in files that define the two components."""

    @functools.cached_property
    def key(self) -> str:
        """A hash of everything that defines the numbers of this cell."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:20]
