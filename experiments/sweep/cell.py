"""One point of a sweep."""

import functools
import hashlib
from dataclasses import dataclass
from typing import Literal

from experiments.measuring.stop import Stop
from experiments.training.settings import Train

__all__ = ["Cell"]


@dataclass(frozen=True)
class Cell:
    """One point of a sweep. `estimator` and `problem` are canonical specs."""

    estimator: str
    problem: str
    num_samples: int
    batch: int = 0
    """The data points of the mini-batch that each replicate, or each step of a training, has; 0: all data."""
    order: int = 1
    """1: gradients are measured; 2: the Hessian times a direction."""
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
