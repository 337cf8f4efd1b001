"""`gradmark show`: the cells of a run, or what a fit makes of them."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import REASONS, open_run
from experiments.commands.exits import NOTHING, WELL
from experiments.commands.options import run_argument, where_option

if TYPE_CHECKING:
    import pandas as pd

    from experiments.store import Run

FORMATS = ["table", "csv", "json", "markdown", "latex", "parquet"]
NOTHING_FITTED = {
    "rates": "no rates: they need three numbers of samples or more, as in -n 1,10,100",
    "costs": "no costs to fit: they need times at three numbers of samples or more, or levels of a problem's option",
    "signals": "no signals to fit: they need three numbers of samples or more, as in -n 1,10,100",
    "milestones": 'no milestones: they are of runs of experiment = "train"',
}


@click.command("show")
@run_argument
@where_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="table")
@click.option("--columns", default="", metavar="C,C…", help="Columns of the cells; default: the main ones, or all.")
@click.option("--sort", default="", metavar="C", help="The column to sort by; -C sorts downwards.")
@click.option(
    "--rates", "fit", flag_value="rates", help="Instead of the cells, how fast variances fall with S, by a fit."
)
@click.option(
    "--costs",
    "fit",
    flag_value="costs",
    help="… how times grow with S, and with an option of the problems.",
)
@click.option(
    "--signals", "fit", flag_value="signals", help="… how the signal-to-noise ratio of each parameter changes."
)
@click.option(
    "--milestones", "fit", flag_value="milestones", help="… of training: the steps and seconds to a level (--target)."
)
@click.option("--quantity", default="objective", metavar="Q", help="Of milestones: what was recorded beside steps.")
@click.option("--target", type=float, help="Of milestones: the level; default: one that all cells of a problem reach.")
@click.option("--least", type=click.IntRange(min=1), default=1, metavar="S", help="Fit from this number of samples on.")
def command(run: str, where: Sequence[str], form: str, columns: str, sort: str, fit: str | None, **options: Any) -> int:
    """The cells of a RUN: a name under results/, a folder, a store file, or a bundle."""
    loaded = open_run(run, where)[1]
    found = loaded.cells
    cells = _sorted(_fitted(loaded, fit, **options) if fit else found, sort)
    chosen = _chosen(columns, cells, fit)
    if form == "table" and not fit and not chosen:
        _print_map(loaded)
    _print(cells, chosen, form)
    if len(cells) and (chosen or form in ("csv", "json", "parquet")):
        return WELL
    if fit and not len(cells) and "done" in set(found["status"]):
        click.echo(NOTHING_FITTED[fit], err=True)
    click.echo(_left_out(loaded, run), err=True, nl=False)
    return WELL if len(cells) else NOTHING


def _chosen(columns: str, cells: "pd.DataFrame", fit: str | None) -> list[str]:
    """The columns that are asked for, or that a fit is about; without either the main ones, or all."""
    from experiments.commands.summary import PLACES, places

    chosen = [column.strip() for column in columns.split(",") if column.strip()]
    for column in chosen:
        _check(column, cells)
    if fit and not chosen:
        return [column for column in cells if column not in PLACES or column in places(cells)]
    return chosen


def _print_map(run: "Run") -> None:
    """Which estimator is how much worse than the best, where there are several on several problems."""
    from experiments.ranking.stored import rankings
    from experiments.ranking.work_map import map_text
    from experiments.terminal.tables import terminal_width

    if text := map_text(rankings(run), terminal_width()):
        click.echo(f"{text}\n")


def _print(cells: "pd.DataFrame", chosen: list[str], form: str) -> None:
    from experiments.commands.summary import print_cells, summary
    from experiments.terminal.latex import latex_table
    from experiments.terminal.tables import markdown_table, print_table

    frame: Any = cells[chosen] if chosen else cells
    if form == "table" and not chosen:
        print_cells(cells)
    elif form == "table":
        print_table(chosen, _texts(frame))
    elif form == "csv":
        frame.to_csv(sys.stdout, index=False)
    elif form == "json":
        click.echo(frame.to_json(orient="records", indent=2))
    elif form in ("markdown", "latex"):
        shown = frame if chosen else summary(cells)
        table = markdown_table if form == "markdown" else latex_table
        click.echo(table(list(map(str, shown.columns)), _texts(shown)))
    else:
        _write_parquet(frame)


def _fitted(run: "Run", fit: str, least: int, quantity: str, target: float | None) -> "pd.DataFrame":
    from experiments.analysis.costs import fitted_costs
    from experiments.analysis.milestones import milestones
    from experiments.analysis.rates import fitted_rates
    from experiments.analysis.signals import fitted_signals
    from experiments.commands.summary import PLACES

    if fit == "milestones":
        points = run.cells[["key", "problem", "estimator", "num_samples", *PLACES]]
        return points.merge(milestones(run.cells, run.traces, quantity, target), on="key").drop(columns="key")
    cells = run.cells.query("num_samples >= @least and training == ''")
    if fit == "rates":
        return fitted_rates(cells)
    return fitted_signals(cells, run.signals) if fit == "signals" else fitted_costs(cells, run.timings)


def _left_out(run: "Run", name: str) -> str:
    """A line on the cells that are not whole, and what to do; '' where all are."""
    from experiments.store import FAILURES

    states = list(zip(run.cells["status"], run.cells["timing_status"], strict=True))
    counts = {
        "missing (repeat the run)": run.planned - len(states),
        "failed": sum(status in FAILURES for status, _ in states),
        "interrupted (repeat the run)": sum(status == "interrupted" for status, _ in states),
        "skipped": sum(status == "skipped" for status, _ in states),
        "that could not be timed": sum(status == "done" and timing in FAILURES for status, timing in states),
    }
    found = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    why = f"\nwhy: gradmark show {name} --columns {REASONS}" if len(states) else ""
    return f"{run.planned} cells, among them {found}{why}\n" if found else ""


def _sorted(cells: "pd.DataFrame", sort: str) -> "pd.DataFrame":
    if not sort:
        return cells
    column = sort.removeprefix("-")
    _check(column, cells)
    return cells.sort_values(column, ascending=not sort.startswith("-"), kind="stable")


def _check(column: str, cells: "pd.DataFrame") -> None:
    from estimators.interface.specs import check_known  # imports torch, which a plain table does without

    check_known("column", column, cells.columns)


def _texts(frame: "pd.DataFrame") -> list[list[str]]:
    """The rows of a table."""
    import pandas as pd

    def text(value: object) -> str:
        return f"{value:.6g}" if isinstance(value, float) else "" if value is None or value is pd.NA else str(value)

    return [[text(value) for value in row] for row in frame.itertuples(index=False)]


def _write_parquet(frame: "pd.DataFrame") -> None:
    if sys.stdout.isatty():
        raise ValueError("parquet is binary: send it to a file, gradmark show RUN --format parquet > cells.parquet")
    try:
        sys.stdout.buffer.write(frame.to_parquet(index=False))
    except ImportError:
        raise ValueError("parquet needs pyarrow: pip install 'gradmark[parquet]'") from None
