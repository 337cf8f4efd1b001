"""When a measurement ends."""

import math
from dataclasses import dataclass

__all__ = ["MAX_REPLICATES", "SPARE", "Stop"]

MAX_REPLICATES = 10**12
SPARE = 1.1
"""The factor of replicates beyond a forecast: it is only as good as the noise is known."""


@dataclass(frozen=True)
class Stop:
    """When a cell has enough replicates. ValueError: out of range.

    They grow by half from 20,000 (fewer where gradients are large or take long: `pace.py`) until the figures are
    precise enough, or a budget ends it; or there are exactly `replicates` of them (rounded up to a multiple of 64).
    """

    replicates: int | None = None
    """A fixed number of them, whatever the precision."""
    rtol: float = 0.05
    """Relative half-width of the 95 % interval of the total variance."""
    max_replicates: int = 10_000_000
    max_seconds: float | None = None
    """A budget that depends on the clock, under which a repeated run need not give the same numbers.

    No block is begun that would not end within it, but for the first."""
    detect: bool = False
    """Go on until a relative bias of 1 % would have been seen."""
    max_elements: int | None = None
    """A budget of replicates × samples × event size: bounds the time as seconds do, and gives the same numbers
    again."""
    settle_elements: int | None = None
    """Of these, what may be spent on a verdict, beyond all budgets but that of seconds: a measurement that has all else
    goes on until a relative bias of 1 % would have been seen, where so many in all are forecast to be enough for it."""

    def __post_init__(self) -> None:
        for key in ("replicates", "max_replicates", "max_elements", "settle_elements"):
            value = getattr(self, key)
            if value is not None and not 1 <= value <= MAX_REPLICATES:
                raise ValueError(f"{key} must lie between 1 and {MAX_REPLICATES:,}, not {value}")
        if not 0 < self.rtol <= 1:
            raise ValueError(f"rtol must be above 0 and at most 1, not {self.rtol}")
        if self.max_seconds is not None and not 0 < self.max_seconds < math.inf:
            raise ValueError(f"max_seconds must be above 0 and finite, not {self.max_seconds}")
