"""A figure of one's own."""

from matplotlib.figure import Figure

from experiments.plots.drawing.page import notice
from experiments.plots.kind import Kind, Request
from experiments.store import Run


class MyFigure(Kind):
    """How many cells are done."""

    def suits(self, run: Run) -> bool:
        return not run.done.empty

    def draw(self, run: Run, request: Request) -> Figure:
        return notice(f"{len(run.done)} cells are done", request.title)


KIND = MyFigure(title="The title of my figure", caption="The number of cells that are done.", place=1)
