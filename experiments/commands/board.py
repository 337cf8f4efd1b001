"""`gradmark board`: the estimators of many bundles, problem by problem, in groups of ties."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import open_run
from experiments.commands.exits import NOTHING, WELL
from experiments.terminal.completion import complete_run
from experiments.terminal.numbers import interval

if TYPE_CHECKING:
    from experiments.ranking.board import Board, Entry

COMMUNITY = "results/community"


@click.command("board")
@click.argument("runs", metavar="[RUN|FOLDER]…", nargs=-1, shell_complete=complete_run)
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True)
def command(runs: tuple[str, ...], form: str) -> int:
    """Rank the estimators of many RUNs, or of the bundles in a FOLDER; default: results/community.

    By variance × evaluations, which no machine decides, and by MSE × seconds on each machine. What is not told apart
    from the best of a group is in that group.
    """
    from experiments.ranking.board import boards

    found = boards({name: open_run(run)[1] for name, run in _named(runs or (COMMUNITY,)).items()})
    if form == "json":
        click.echo(json.dumps([_data(board) for board in found], indent=2))
    for board in found if form != "json" else []:
        _tell(board, form)
    return WELL if found else NOTHING


def _named(runs: tuple[str, ...]) -> dict[str, str]:
    """The runs by names for a table, with the bundles of a folder in its place. ValueError: there are none in it."""
    found: list[str] = []
    for run in runs:
        folder = Path(run)
        bundles = sorted(map(str, folder.glob("*.zip"))) if folder.is_dir() else []
        if folder.is_dir() and not bundles and not (folder / "results.sqlite").exists():
            raise ValueError(f"no bundles in {run}; `gradmark bundle RUN` writes one")
        found += bundles or [run]
    names = [run.removesuffix(".zip") for run in found]
    short = [Path(name).name for name in names]
    return {short[i] if short.count(short[i]) == 1 else name: found[i] for i, name in enumerate(names)}


def as_markdown(board: "Board") -> str:
    """A section with its table, in which no text of a bundle is markup."""
    from experiments.terminal.tables import literal, markdown_table

    title, columns, rows = _table(board)
    own = [[place, literal(name), figure, literal(verdict), literal(of)] for place, name, figure, verdict, of in rows]
    return f"### {literal(title)}\n\n{markdown_table(columns, own)}\n"


def _tell(board: "Board", form: str) -> None:
    from experiments.terminal.tables import print_table

    if form == "markdown":
        click.echo(as_markdown(board))
        return
    title, columns, rows = _table(board)
    print_table(columns, rows, title=title, right=columns[2:3])
    click.echo()


def _table(board: "Board") -> tuple[str, list[str], list[list[str]]]:
    """The title, the columns and the rows."""
    from experiments.ranking.order import UNITS

    where = f", {board.machine}" if board.machine else ""
    title = f"{board.problem}, S={board.num_samples}, {board.dtype}{where}"
    columns = ["group", "estimator", f"{board.quantity} × {UNITS[board.by]} [95 %]", "verdict", "bundle"]
    numbered = [(str(number), entry) for number, group in enumerate(board.groups, start=1) for entry in group]
    return title, columns, [_row(*each) for each in [*numbered, *((one.ranked.aside, one) for one in board.aside)]]


def _row(place: str, entry: "Entry") -> list[str]:
    figure = "" if place == "other objective" else interval(*entry.ranked.figure)
    return [place, entry.ranked.estimator, figure, entry.row["verdict"] or "", entry.source]


def _data(board: "Board") -> dict[str, Any]:
    def of(entry: "Entry") -> dict[str, Any]:
        figure = [value if math.isfinite(value) else None for value in entry.ranked.figure]
        aside = {"aside": entry.ranked.aside} if entry.ranked.aside else {}
        key = {"estimator": entry.ranked.estimator, "bundle": entry.source, "key": entry.row["key"]}
        return key | {"figure": figure, "verdict": entry.row["verdict"]} | aside

    place = {name: getattr(board, name) for name in ("problem", "num_samples", "dtype", "by", "machine", "quantity")}
    return place | {"groups": [[*map(of, group)] for group in board.groups], "aside": [*map(of, board.aside)]}
