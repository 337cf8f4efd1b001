"""Two runs, cell by cell: what changed in variance, bias, time and evaluations, and whether it got worse."""

from experiments.analysis.comparison.change import Change, Gate
from experiments.analysis.comparison.runs import POINT, Comparison, Matched, compare
from experiments.analysis.comparison.times import Drift

__all__ = ["POINT", "Change", "Comparison", "Drift", "Gate", "Matched", "compare"]
