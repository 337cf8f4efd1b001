"""Whether slopes jump along a line: second differences tell, whatever the function is made of."""

import itertools
from collections.abc import Callable

from torch import Tensor

__all__ = ["NUMBER", "slopes_jump"]

NUMBER = 2**12
"""Samples that such a trial takes where they are cheap: of a jump within 0.1 some meet a distance of 0.006."""
STEPS = (0.1, 0.025, 0.00625)
FALLS = 0.45
"""From one step to the next, a quarter of it, the mean change falls to a 16th; to a quarter where second derivatives
jump, which a quarter of the samples meets; where slopes jump it stays, since the change is four times as large."""
ROUNDING = 1e-9
"""Relative errors of float64 in a value."""


def slopes_jump(values: Callable[[float], Tensor]) -> bool:
    """Whether the slope of any sample jumps near to 0: `values(t)` are those of all samples, moved by t along a line.

    A second difference tends to the second derivative, in steps whose changes become smaller; where a slope jumps
    within the step it grows as one over the step.
    """
    middle = values(0.0)
    second = [(values(step) - 2 * middle + values(-step)) / step**2 for step in STEPS]
    far, near = (float((one - other).abs().nan_to_num(0.0).mean()) for one, other in itertools.pairwise(second))
    rounded = ROUNDING * float(middle.abs().nan_to_num(0.0).max()) / STEPS[-1] ** 2
    return near > FALLS * far + rounded
