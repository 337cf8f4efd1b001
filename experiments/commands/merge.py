"""`gradmark merge`: the cells of several runs put into one."""

from pathlib import Path

import click

from experiments.commands.arguments import locate
from experiments.terminal.completion import complete_run


@click.command("merge")
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True, shell_complete=complete_run)
@click.option("-o", "--output", metavar="NAME", required=True, help="The folder under results/ to write.")
def command(runs: tuple[str, ...], output: str) -> None:
    """Put the cells of several RUNs, e.g. of several machines, into one."""
    from experiments.store import merge
    from experiments.sweep.keys import check_name

    check_name(output)
    folder = Path("results") / output
    merged = merge([locate(run) for run in runs], folder)
    again = f", {merged.duplicates} of them in several runs" if merged.duplicates else ""
    missing = f"; {merged.missing} that were planned are missing" if merged.missing else ""
    click.echo(f"{merged.cells} cells of {len(runs)} runs in {folder}{again}{missing}")
