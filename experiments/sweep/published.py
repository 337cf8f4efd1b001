"""Published figures of a sweep, which `gradmark reproduce` measures again.

Each row names a cell of the sweep, a quantity, its published value, and how exactly that could be read::

    [[published]]
    estimator = "unordered-set"
    problem = "bernoulli-shared-logit:logit=-4"
    num_samples = 2
    quantity = "total-variance"
    value = 3e-5
    reading = "10 %"
    origin = "plot"
    source = "Kool, van Hoof & Welling 2020, toy at eta = -4"
"""

import math
import re
from typing import Annotated

import msgspec

from estimators.interface.specs import check_known

__all__ = ["ORIGINS", "QUANTITIES", "Published"]

NumSamples = Annotated[int, msgspec.Meta(ge=1)]
QUANTITIES = ("total-variance", "variance", "standard-deviation", "gradient", "snr-rate")
ORIGINS = ("text", "plot", "exact")
PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
RATES = ("snr-rate",)
"""Quantities of several numbers of samples."""
LEAST_POINTS = 3


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A figure that somebody has published. What it names is checked by `experiments.reproduction.figures_of`."""

    estimator: str
    problem: str
    num_samples: tuple[NumSamples, ...] = ()
    """Default: those of the sweep. A rate is fitted to several; other quantities are of one."""
    quantity: str
    """`total-variance`: the trace of the covariance of one gradient; `variance`: that over the number of entries;
    `standard-deviation`: the root of the total variance; `gradient`: the mean of one entry; `snr-rate`: the exponent of
    num_samples in the signal-to-noise ratio."""
    parameter: str = ""
    """The parameter that the quantity is of; default: all of them together."""
    entry: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of a `gradient`: which entry of the parameter."""
    gradient_scale: float = 1.0
    """What a gradient is multiplied by to be the published one, where that is in another parameter."""
    value: float
    reading: float | str
    """How far the value may be from what was meant: a number, or a part of the value, as in "5 %"."""
    origin: str = "text"
    """`text`: a number that is printed; `plot`: read off a plot; `exact`: derived from the definition, where no number
    is printed. An exact value is checked as closely as its `reading` says."""
    source: str

    def __post_init__(self) -> None:
        check_known("quantity", self.quantity, QUANTITIES)
        check_known("origin", self.origin, ORIGINS)
        if not math.isfinite(self.value):
            raise ValueError(f"value must be finite, not {self.value}")
        if not 0 < self.error < math.inf:
            raise ValueError(
                f'reading must be above 0, and a number or a part of the value as in "5 %", not {self.reading!r}'
            )
        if not (math.isfinite(self.gradient_scale) and self.gradient_scale):
            raise ValueError(f"gradient_scale must be finite and not 0, not {self.gradient_scale}")
        if not self.source.strip():
            raise ValueError("source is empty: say where the value was published")

    @property
    def error(self) -> float:
        """The error of reading in the units of the value; NaN of what is no number."""
        if isinstance(self.reading, str):
            part = PERCENT.fullmatch(self.reading.strip())
            return abs(self.value) * float(part[1]) / 100 if part else math.nan
        return self.reading

    @property
    def words(self) -> str:
        """What the quantity is, and of which parameter."""
        of = f" of {self.parameter}" if self.parameter else ""
        return self.quantity.replace("-", " ").replace("snr", "SNR") + of

    @property
    def is_rate(self) -> bool:
        return self.quantity in RATES

    def check_points(self, num_samples: tuple[int, ...]) -> None:
        """ValueError: the quantity is not of so many numbers of samples."""
        if self.is_rate and len(set(num_samples)) < LEAST_POINTS:
            raise ValueError(f"{self.quantity} needs three values of num_samples or more, not {list(num_samples)}")
        if not self.is_rate and len(num_samples) != 1:
            raise ValueError(f"{self.quantity} is of one num_samples, not {list(num_samples)}: name it")
