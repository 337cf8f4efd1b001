"""The gradient that estimates are compared with."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np

__all__ = ["NO_LIMITS", "NoReference", "Reference"]

NO_LIMITS = (math.inf, math.inf)


@final
@dataclass(frozen=True)
class Reference:
    """The gradient to compare with: `groups` is `[P]` if exact, `[G, P]` means of independent groups if measured."""

    kind: Literal["exact", "measured"]
    groups: np.ndarray
    remark: str = ""
    """What a reader of a comparison should know, as a sentence: who was left out of measuring it, and why."""
    allowed: tuple[float, float] = NO_LIMITS
    """The seconds and the evaluations of the cost that it was allowed, where more of them would make a better one."""

    @cached_property
    def gradient(self) -> np.ndarray:
        """`[P]`."""
        return self.groups if self.groups.ndim == 1 else self.groups.mean(0, dtype=np.float64)

    @cached_property
    def norm(self) -> float:
        return float(np.linalg.norm(self.gradient))


@final
@dataclass(frozen=True)
class NoReference:
    """There is none, and why, as a sentence; '' where nobody could measure one."""

    remark: str = ""
    allowed: tuple[float, float] = NO_LIMITS
    """As of a reference: with more of these there may be one."""
    disputed: bool = False
    """Those that measured it have found different gradients."""
