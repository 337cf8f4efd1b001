"""What is said of a bias, in the same words wherever it is said; '' where there is nothing to say."""

from experiments.statistics import Interval, resemblance
from experiments.terminal.numbers import number, percent

__all__ = ["bias", "rescaled", "verdict"]


def verdict(found: str | None) -> str:
    """What the test of the bias says, whatever is claimed."""
    return found or "no reference"


def bias(relative: Interval | None) -> str:
    """A bias relative to the gradient; where none is seen, what it is below: `74 %`, `< 1.2 %`."""
    if relative is None:
        return ""
    return percent(relative.value) if relative.low > 0 else f"< {percent(relative.high)}"


def rescaled(found: str | None, scale: Interval | None, cosine: Interval | None) -> str:
    """Of a biased estimator whether its mean is a multiple of the gradient: `a multiple of the gradient: 2.04 ×, …`."""
    what = resemblance(scale, cosine) if found == "biased" else ""
    if not what or scale is None or cosine is None:
        return ""
    return f"{what} of the gradient: {number(scale.value)} ×, cosine {cosine.value:.3f}"
