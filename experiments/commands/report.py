"""`gradmark report`: one HTML file on a run, which needs nothing else."""

import click

from experiments.commands.arguments import open_run
from experiments.commands.options import run_argument


@click.command("report")
@run_argument
def command(run: str) -> None:
    """Write the report of a RUN: one HTML file that needs nothing else."""
    from experiments.report import write_report

    folder, loaded = open_run(run)
    click.echo(write_report(loaded, folder / "report.html"))
