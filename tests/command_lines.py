"""A sweep of one quick cell, and plug-ins, as a user gives them to the command line."""

from pathlib import Path

__all__ = ["ESTIMATOR", "TINY", "plugin"]

TINY = ("-p", "gaussian-quadratic:dim=2", "-n", "2", "--max-replicates", "640", "--name", "tiny")

ESTIMATOR = '''
"""A pathwise gradient scaled by a constant."""
from dataclasses import dataclass

from estimators import Estimator, register_estimator
from estimators import sample


@register_estimator("scaled-pathwise")
@dataclass(frozen=True)
class ScaledPathwise(Estimator):
    factor: float = {factor}

    def surrogate(self, problem, params, noise):
        return self.factor * problem.cost(sample(problem.distribution(params), noise), params).mean(0)
'''


def plugin(folder: Path, text: str, name: str = "mine.py") -> str:
    file = folder / name
    file.write_text(text)
    return str(file)
