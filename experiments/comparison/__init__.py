"""Two runs, cell by cell: what changed in variance, bias, time and evaluations, and whether it got worse."""

from .change import Change, Gate
from .runs import Comparison, Matched, compare
from .times import Drift

__all__ = ["Change", "Comparison", "Drift", "Gate", "Matched", "compare"]
