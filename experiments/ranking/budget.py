"""What a contest may spend."""

import math
from dataclasses import dataclass
from typing import final

from experiments.measuring.purse import Purse

__all__ = ["Budget"]


@final
@dataclass(frozen=True)
class Budget:
    """Seconds, evaluations of the cost, or both: whichever ends first. ValueError: neither, or out of range."""

    seconds: float | None = None
    evaluations: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.evaluations is None:
            raise ValueError("a budget needs seconds, evaluations, or both")
        for name, value in (("seconds", self.seconds), ("evaluations", self.evaluations)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be above 0 and finite, not {value}")

    def opened(self) -> Purse:
        """All of it, from now on."""
        seconds, evaluations = (
            math.inf if value is None else float(value) for value in (self.seconds, self.evaluations)
        )
        return Purse(seconds, evaluations)
