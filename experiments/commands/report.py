"""`gradmark report`: one HTML file on a run, which needs nothing else."""

from collections.abc import Sequence

import click

from experiments.commands.arguments import file_name, open_run
from experiments.commands.options import run_argument, where_option


@click.command("report")
@run_argument
@where_option
def command(run: str, where: Sequence[str]) -> None:
    """Write the report of a RUN: one HTML file that needs nothing else."""
    from experiments.report import write_report

    folder, loaded = open_run(run, where)
    click.echo(write_report(loaded, folder / f"report{file_name(where)}.html"))
