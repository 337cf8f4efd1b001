"""Two runs, cell by cell: what changed in variance, bias, time and evaluations, and whether it got worse."""

from .change import Change, Gate
from .runs import POINT, Comparison, Matched, compare
from .times import Drift

__all__ = ["POINT", "Change", "Comparison", "Drift", "Gate", "Matched", "compare"]
