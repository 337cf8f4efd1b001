"""What was found when cells were computed anew."""

from dataclasses import dataclass, field

from experiments.statistics.multiple import rejected
from experiments.store.columns import Row
from experiments.verifying.figures import Figure

__all__ = ["Answer", "Judged"]


@dataclass(frozen=True)
class Judged:
    """A cell that was computed anew."""

    row: Row
    figures: list[Figure]
    different: list[Figure]
    """Those of the figures that differ by more than chance."""


@dataclass
class Answer:
    """The cells that were computed anew, and why others were not."""

    seed: int
    """Of the choice of cells and of their noise: the same seed does the same again."""
    cells: int
    """The cells of the run that have figures."""
    found: list[tuple[Row, list[Figure]]] = field(default_factory=list)
    failed: list[tuple[Row, str]] = field(default_factory=list)
    """Cells of which nothing came, and why."""
    impossible: dict[str, str] = field(default_factory=dict)
    """Why others cannot be computed here, by their keys."""
    misfits: list[tuple[Row, str]] = field(default_factory=list)
    """Cells, computed anew or not, whose figures contradict each other, and how."""

    def judged(self, level: float) -> list[Judged]:
        """Each cell with the figures that differ; `level` is the probability of a false alarm in all together."""
        told = iter(rejected([figure.p_value for _, figures in self.found for figure in figures], level))
        return [Judged(row, figures, [one for one in figures if next(told)]) for row, figures in self.found]
