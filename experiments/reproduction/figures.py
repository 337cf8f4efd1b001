"""Which cells of a sweep a published figure is measured from."""

from dataclasses import dataclass

from estimators.interface.specs import check_known
from estimators.registry import expand, make_problem
from experiments.sweep import Cell, Published, Sweep, cells_of

__all__ = ["Figure", "figures_of"]


@dataclass(frozen=True)
class Figure:
    """A published figure of a sweep, with the cells that it is measured from: one for each number of samples."""

    sweep: str
    row: Published
    cells: tuple[Cell, ...]

    @property
    def problem(self) -> str:
        """Its canonical spec, as that of the estimator."""
        return self.cells[0].problem

    @property
    def estimator(self) -> str:
        return self.cells[0].estimator

    @property
    def num_samples(self) -> list[int]:
        return [cell.num_samples for cell in self.cells]


def figures_of(sweep: Sweep) -> list[Figure]:
    """The published figures of a sweep, in the order of the file. Imports the plug-ins.

    Where the sweep has several devices, dtypes, mini-batches or orders, the first of each is measured.

    Raises:
        ValueError: a figure is of something that is no cell of the sweep, or of a parameter that the problem lacks.
    """
    cells = cells_of(sweep)
    found = []
    for index, row in enumerate(sweep.published):
        try:
            found.append(Figure(sweep.name, row, _cells(sweep, row, cells)))
        except ValueError as error:
            raise ValueError(f"sweep '{sweep.name}': published[{index}]: {error}") from None
    return found


def _cells(sweep: Sweep, row: Published, cells: list[Cell]) -> tuple[Cell, ...]:
    problem, estimator = _one("problem", row.problem), _one("estimator", row.estimator)
    check_known("problem of the sweep", problem, {cell.problem for cell in cells})
    check_known("estimator of the sweep", estimator, {cell.estimator for cell in cells})
    num_samples = row.num_samples or tuple(dict.fromkeys(sweep.num_samples))
    row.check_points(num_samples)
    first: dict[int, Cell] = {}
    for cell in cells:
        if (cell.problem, cell.estimator) == (problem, estimator):
            first.setdefault(cell.num_samples, cell)
    missing = [samples for samples in num_samples if samples not in first]
    if missing:
        raise ValueError(f"the sweep has no cell of {estimator} on {problem} with num_samples = {missing[0]}")
    _check_parameter(problem, row)
    return tuple(first[samples] for samples in num_samples)


def _one(kind: str, spec: str) -> str:
    """The canonical spec. ValueError: it is none, or stands for several."""
    (found,) = expand(kind, spec)  # pyright: ignore[reportArgumentType]
    return found


def _check_parameter(problem: str, row: Published) -> None:
    point = make_problem(problem).initial_params()
    if row.parameter:
        check_known(f"parameter of {problem}", row.parameter, point)
    if row.quantity != "gradient":
        return
    if not row.parameter and len(point) > 1:
        raise ValueError(f"a gradient is of one entry: name its parameter, one of {', '.join(point)}")
    size = point[row.parameter or next(iter(point))].numel()
    if row.entry >= size:
        raise ValueError(f"entry must be below {size}, the entries that the parameter has, not {row.entry}")
