"""`gradmark show`, and the summary table that `run` prints."""

import sys
from pathlib import Path
from typing import Any

import click
import pandas as pd

from estimators.specs import check_known
from experiments.console import interval, markdown_table, percent, print_table, seconds
from experiments.evaluations import differ_from_samples
from experiments.store import FAILURES, Run, load

__all__ = ["locate", "open_run", "print_cells", "show_cells"]

EMPTY = 4
REASONS = "estimator,problem,status,timing_status,error"
PLACES = ("device", "dtype", "compile", "seed")
"""Columns that the table shows only where they differ between cells."""


def open_run(name: str) -> tuple[Path, Run]:
    """The folder and results of a run: a name under results/, a folder, or a store file. StoreError: there is none."""
    path = locate(name)
    return (path.parent if path.is_file() else path), load(path)


def locate(name: str) -> Path:
    """Where a run is, if it is: its folder or its store file."""
    path = Path(name)
    return path if path.exists() or path.parent != Path() else Path("results") / name


def show_cells(name: str, form: str, columns: str, sort: str, rates: bool = False) -> int:
    """Print the cells, or the rates fitted to them, in a format; exit code 4 where there are none.

    What the main figures leave out goes to stderr in a line.
    """
    loaded = open_run(name)[1]
    found = loaded.cells
    cells = _sorted(_rates(found) if rates else found, sort)
    chosen = [column.strip() for column in columns.split(",") if column.strip()]
    if rates and not chosen:
        chosen = [column for column in cells if column not in PLACES or column in _places(cells)]
    for column in chosen:
        check_known("column", column, cells.columns)
    frame: Any = cells[chosen] if chosen else cells
    if form == "table" and not chosen:
        print_cells(cells)
    elif form == "table":
        print_table(chosen, [[_text(value) for value in row] for row in frame.itertuples(index=False)])
    elif form == "csv":
        frame.to_csv(sys.stdout, index=False)
    elif form == "json":
        click.echo(frame.to_json(orient="records", indent=2))
    elif form == "markdown":
        click.echo(_markdown(frame if chosen else pd.DataFrame(_rows(cells), columns=_columns(cells))))
    else:
        _write_parquet(frame)
    if len(cells) and (chosen or form in ("csv", "json", "parquet")):
        return 0
    if rates and not len(cells) and "done" in set(found["status"]):
        click.echo("no rates: they need three numbers of samples or more, as in -n 1,10,100", err=True)
    click.echo(_left_out(loaded, name), err=True, nl=False)
    return 0 if len(cells) else EMPTY


def _rates(cells: pd.DataFrame) -> pd.DataFrame:
    from experiments.rates import fitted_rates  # scipy takes a second, and other tables do without

    return fitted_rates(cells)


def _left_out(run: Run, name: str) -> str:
    """A line on the cells that are not whole, and what to do; '' where all are."""
    states = list(zip(run.cells["status"], run.cells["timing_status"], strict=True))
    counts = {
        "missing (repeat the run)": run.planned - len(states),
        "failed": sum(status in FAILURES for status, _ in states),
        "interrupted (repeat the run)": sum(status == "interrupted" for status, _ in states),
        "skipped": sum(status == "skipped" for status, _ in states),
        "that could not be timed": sum(status == "done" and timing in FAILURES for status, timing in states),
    }
    found = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    why = f"; why: gradmark show {name} --columns {REASONS}" if len(states) else ""
    return f"{run.planned} cells, among them {found}{why}\n" if found else ""


def _sorted(cells: pd.DataFrame, sort: str) -> pd.DataFrame:
    if not sort:
        return cells
    column = sort.removeprefix("-")
    check_known("column", column, cells.columns)
    return cells.sort_values(column, ascending=not sort.startswith("-"), kind="stable")


def print_cells(cells: pd.DataFrame) -> None:
    """The main figures of all cells that were measured, as a table on stdout."""
    if "done" not in set(cells["status"]):
        return
    columns = _columns(cells)
    print_table(columns, _rows(cells), right=[c for c in columns if c not in ("problem", "estimator", *PLACES)])


def _columns(cells: pd.DataFrame) -> list[str]:
    return [
        *("problem", "estimator", "S"),
        *_places(cells),
        *(["evaluations", "variance × evaluations [95 %]"] if differ_from_samples(cells) else []),
        *("total variance [95 %]", "bias/‖g‖", "verdict", "detectable", "time", "MSE × s [95 %]"),
    ]


def _places(cells: Any) -> list[str]:
    return [place for place in PLACES if cells[place].nunique() > 1]


def _rows(cells: Any) -> list[list[str]]:
    places, counted = _places(cells), differ_from_samples(cells)
    return [_row(cell, places, counted) for cell in cells.to_dict("records") if cell["status"] == "done"]


def _row(cell: Any, places: list[str], counted: bool) -> list[str]:
    def with_interval(name: str) -> str:
        return interval(cell[name], cell[f"{name}_low"], cell[f"{name}_high"])

    bias = max(cell["squared_bias"], 0.0) ** 0.5 / cell["gradient_norm"] if cell["gradient_norm"] else float("nan")
    return [
        *(cell["problem"], cell["estimator"], str(cell["num_samples"])),
        *(str(cell[place]) for place in places),
        *([str(cell["evaluations"]), with_interval("evaluation_normalized_variance")] if counted else []),
        *(with_interval("total_variance"), percent(bias), cell["verdict"] or "", percent(cell["detectable_bias"])),
        cell["timing_status"] if cell["timing_status"] in FAILURES else seconds(cell["seconds_per_gradient"]),
        with_interval("work_normalized_mse"),
    ]


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None or value is pd.NA else str(value)


def _markdown(frame: pd.DataFrame) -> str:
    rows = [[_text(value) for value in row] for row in frame.itertuples(index=False)]
    return markdown_table([_text(name) for name in frame.columns], rows)


def _write_parquet(frame: pd.DataFrame) -> None:
    if sys.stdout.isatty():
        raise ValueError("parquet is binary: send it to a file, gradmark show RUN --format parquet > cells.parquet")
    try:
        sys.stdout.buffer.write(frame.to_parquet(index=False))
    except ImportError:
        raise ValueError("parquet needs pyarrow: pip install 'gradmark[parquet]'") from None
