"""How a training cell optimises."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from estimators.interface.specs import check_known

__all__ = ["Optimizer", "Train"]

Optimizer = Literal["adam", "sgd"]


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
