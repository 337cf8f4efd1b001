"""What a kind of figure is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from experiments.store import Run

__all__ = ["Kind", "Request"]


@dataclass(frozen=True)
class Request:
    """What is asked of a figure beside its kind."""

    title: str | None = None
    x: str | None = None
    """What the variance is drawn against: one of the kind's `axes`. None: the kind chooses."""
    facet: str = "problem"
    """The column of the cells that makes the panels: one of the kind's `facets`."""


@dataclass(frozen=True)
class Kind(ABC):
    """A kind of figure. It is the constant `KIND` of a file in `kinds/`, and has the name of that file."""

    title: str
    """A heading, for a page that shows several figures."""
    caption: str
    place: int
    """The place of the figure among others: the one with the smallest number comes first."""
    facets: tuple[str, ...] = ("problem",)
    """The columns of the cells that can make its panels."""

    @property
    def name(self) -> str:
        """The name of its file, with hyphens."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @abstractmethod
    def suits(self, run: Run) -> bool:
        """Whether the figure has something to say about the run."""

    @abstractmethod
    def draw(self, run: Run, request: Request) -> Figure:
        """The figure; where the run holds nothing to draw, it says so."""

    def axes(self, run: Run) -> Sequence[str]:
        """The names that a user may give as `x` to get this figure; none where it does not show the variance."""
        return ()
