"""`gradmark show`."""

import sys
from typing import Any

import click
import pandas as pd

from estimators.interface.specs import check_known
from experiments.analysis.milestones import milestones
from experiments.commands.arguments import REASONS, open_run
from experiments.commands.exits import NOTHING
from experiments.commands.summary import PLACES, places, print_cells, summary
from experiments.store import FAILURES, Run
from experiments.terminal.tables import markdown_table, print_table

__all__ = ["show_cells"]

NOTHING_FITTED = {
    "rates": "no rates: they need three numbers of samples or more, as in -n 1,10,100",
    "costs": "no costs to fit: they need times at three numbers of samples or more, or levels of a problem's option",
    "signals": "no signals to fit: they need three numbers of samples or more, as in -n 1,10,100",
    "milestones": 'no milestones: they are of runs of experiment = "train"',
}


def show_cells(name: str, form: str, columns: str, sort: str, fit: str = "", **options: Any) -> int:
    """Print the cells, or what a `fit` ("rates", "costs", "signals", "milestones") makes of them; exit code 4 for none.

    What the main figures leave out goes to stderr in a line.
    """
    loaded = open_run(name)[1]
    found = loaded.cells
    cells = _sorted(_fitted(loaded, fit, **options) if fit else found, sort)
    chosen = [column.strip() for column in columns.split(",") if column.strip()]
    if fit and not chosen:
        chosen = [column for column in cells if column not in PLACES or column in places(cells)]
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
        click.echo(_markdown(frame if chosen else summary(cells)))
    else:
        _write_parquet(frame)
    if len(cells) and (chosen or form in ("csv", "json", "parquet")):
        return 0
    if fit and not len(cells) and "done" in set(found["status"]):
        click.echo(NOTHING_FITTED[fit], err=True)
    click.echo(_left_out(loaded, name), err=True, nl=False)
    return 0 if len(cells) else NOTHING


def _fitted(run: Run, fit: str, least: int, quantity: str, target: float | None) -> pd.DataFrame:
    from experiments.analysis.costs import fitted_costs  # scipy takes a second, and other tables do without
    from experiments.analysis.rates import fitted_rates
    from experiments.analysis.signals import fitted_signals

    if fit == "milestones":
        points = run.cells[["key", "problem", "estimator", "num_samples", *PLACES]]
        return points.merge(milestones(run.cells, run.traces, quantity, target), on="key").drop(columns="key")
    cells = run.cells.query("num_samples >= @least and training == ''")
    if fit == "rates":
        return fitted_rates(cells)
    return fitted_signals(cells, run.signals) if fit == "signals" else fitted_costs(cells, run.timings)


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
