"""What a cell asks for: an estimator that is measured, or one that trains."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from estimators.interface import Estimator, Problem
from estimators.registry import make_estimator, make_problem
from experiments.sweep import Cell
from experiments.terminal.telling import Tell
from experiments.timing.rounds import Timed

__all__ = ["Experiment", "Measured", "Skipped"]


@dataclass(frozen=True)
class Measured:
    """The statistics of a cell, as rows of the store."""

    row: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]
    """Rows of other tables than `cells`."""


@dataclass(frozen=True)
class Skipped:
    """The estimator does not support the problem."""

    reason: str


@dataclass(frozen=True)
class Experiment(ABC):
    """What is done for a cell, in the order in which it is done."""

    cell: Cell

    @abstractmethod
    def pilot(self) -> Cell:
        """A short form of the cell, from which its duration is forecast."""

    @abstractmethod
    def seconds_beyond(self, pilot: Measured) -> float:
        """How many seconds more the cell takes than its pilot; fewer are below zero."""

    @abstractmethod
    def statistics(self, tell: Tell) -> Measured | Skipped:
        """The statistics, without the timing; `tell` is told how far they are. Raises what the components raise."""

    @abstractmethod
    def timed(self, measured: float) -> Timed:
        """What is timed, warm; `measured` seconds were spent on its statistics. Raises what the components raise."""

    @property
    def components(self) -> tuple[Problem, Estimator, int]:
        return make_problem(self.cell.problem), make_estimator(self.cell.estimator), self.cell.num_samples

    @property
    def place(self) -> dict[str, Any]:
        return {"seed": self.cell.seed, "device": self.cell.device, "dtype": self.cell.dtype}
