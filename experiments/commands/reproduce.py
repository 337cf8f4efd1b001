"""`gradmark reproduce`: published figures, measured again: does each agree?"""

import json
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.commands.exits import FAILED, INTERRUPTED, REFUTED, WELL
from experiments.commands.options import SEED, FigureFile, Seconds
from experiments.terminal.completion import complete_sweep
from experiments.terminal.numbers import duration, interval, number
from experiments.terminal.starting import starting

if TYPE_CHECKING:
    from experiments.reproduction import Figure, Found

COLUMNS = ["estimator", "S", "published", "measured [95 %]", ""]
ORIGINS = {"text": "", "plot": " (read off a plot)", "exact": " (exact: the paper prints no number)"}


@click.command("reproduce")
@click.argument("sweep", metavar="[NAME|FILE.toml]", required=False, shell_complete=complete_sweep)
@click.option("--seed", type=SEED, metavar="N", help="Seed of all noise; default: that of the sweep.")
@click.option(
    "--seconds",
    type=Seconds(),
    default=300.0,
    show_default=True,
    help="Budget of the figures of one estimator on one problem, after which they stay undecided.",
)
@click.option("--figure", type=FigureFile(), metavar="FILE", help="What agrees, drawn: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def command(sweep: str | None, seed: int | None, seconds: float, figure: Path | None, as_json: bool) -> int:
    """Measure again what has been published, and say whether it agrees.

    The figures are the [[published]] rows of a sweep: a shipped one by NAME, or a FILE of yours. Without either, those
    of all shipped sweeps that have some are measured, which takes a few minutes. Nothing is written but the --figure.

    A figure is measured to a third of the error with which it could be read, or of its distance from what is measured,
    and agrees where the 95 % interval meets what may have been read. Exit code 3 where one differs, else 1 where one
    could not be measured or stays undecided.
    """
    with starting():
        import torch

        from experiments.reproduction import reproduce
        from experiments.terminal.progress import narrator

        figures = _figures(sweep, seed)
    torch.set_num_threads(1)  # threads wait for each other longer than these toys compute
    began, interrupted = time.monotonic(), False
    found: list[Found] = []
    with narrator() as progress:
        progress.start("reproducing", len(figures))
        try:
            for one in reproduce(figures, seconds, progress.doing):
                found.append(one)
                progress.advance(f"{one.figure.problem} · {one.figure.estimator}")
        except KeyboardInterrupt:
            interrupted = True
    found.sort(key=lambda one: figures.index(one.figure))  # those of the same cells were measured together
    if as_json:
        documents = [one.document() for one in found]
        click.echo(json.dumps(documents, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print(found)
    if figure is not None and found:
        _draw(found, figure)
    _tell(found, len(figures), time.monotonic() - began)
    return INTERRUPTED if interrupted else _verdict(found)


def _draw(found: "Sequence[Found]", file: Path) -> None:
    from experiments.plots.drawing.files import save
    from experiments.plots.drawing.published import published_page

    save(published_page(found), file)
    click.echo(f"wrote {file}", err=True)


def _figures(name: str | None, seed: int | None) -> "list[Figure]":
    """Those of a sweep, or of all that are shipped. ValueError: there are none."""
    from experiments.reproduction import figures_of
    from experiments.sweep import read_sweep, shipped_sweeps

    sweeps = [read_sweep(one) for one in ([name] if name else shipped_sweeps())]
    figures = [figure for one in sweeps for figure in figures_of(one.with_overrides(seed=seed)) if one.published]
    if not figures:
        shipped = [one for one in shipped_sweeps() if read_sweep(one).published]
        raise ValueError(f"{name} has no [[published]] figures; shipped sweeps that have some: {', '.join(shipped)}")
    return figures


def _print(found: "Sequence[Found]") -> None:
    """A table for each quantity of a problem that has the same source."""
    from experiments.terminal.tables import folded

    for heading, group in groupby(found, lambda one: _heading(one.figure)):
        click.echo("\n".join([*map(folded, heading), _table(list(group)), ""]))


def _heading(figure: "Figure") -> tuple[str, str]:
    row = figure.row
    entry = f"[{row.entry}]" if row.quantity == "gradient" and row.entry else ""
    return f"{figure.sweep}: {row.words}{entry} on {figure.problem}", f"{row.source}{ORIGINS[row.origin]}"


def _table(found: "Sequence[Found]") -> str:
    from experiments.terminal.tables import table_for_terminal

    return table_for_terminal(COLUMNS, [_row(one) for one in found], right=COLUMNS[1:3])


def _row(found: "Found") -> list[str]:
    row, measured = found.figure.row, found.measured
    samples = found.figure.num_samples
    shown = str(samples[0]) if len(samples) == 1 else f"{min(samples)}–{max(samples)}"
    error = row.reading if isinstance(row.reading, str) else number(row.reading)
    figure = "" if measured is None else interval(*measured)
    return [found.figure.estimator, shown, f"{row.value:.6g} ± {error}", figure, found.verdict]


def _tell(found: "Sequence[Found]", planned: int, seconds: float) -> None:
    """How many agree, and what does not, on stderr."""
    for one in found:
        about = f"{one.figure.estimator} on {one.figure.problem}"
        if one.verdict == "failed":
            click.echo(f"gradmark: {about} could not be measured: {one.reason}", err=True)
        elif one.verdict == "differs":
            click.echo(f"gradmark: {about} differs from {one.figure.row.source}", err=True)
    verdicts = [one.verdict for one in found]
    if undecided := verdicts.count("undecided"):
        click.echo(f"gradmark: {undecided} stay undecided: more --seconds would decide", err=True)
    click.echo(f"{verdicts.count('agrees')} of {planned} published figures agree; {duration(seconds)}", err=True)


def _verdict(found: "Sequence[Found]") -> int:
    verdicts = {one.verdict for one in found}
    if "differs" in verdicts:
        return REFUTED
    return FAILED if verdicts & {"undecided", "failed"} else WELL
