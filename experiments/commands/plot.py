"""`gradmark plot`: the figures of a run, drawn into its folder."""

from collections.abc import Sequence
from pathlib import Path
from pkgutil import iter_modules

import click

from experiments.commands.arguments import file_name, open_run
from experiments.commands.options import run_argument, where_option

FIGURES = [file.name.replace("_", "-") for file in iter_modules([str(Path(__file__).parents[1] / "plots" / "kinds")])]
"""The kinds of figure, by the names of their files: importing them would import matplotlib."""


@click.command("plot")
@run_argument
@where_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(FIGURES),
    metavar="KIND",
    help=f"Which figure: {', '.join(FIGURES)}; default: all that suit the run.",
)
@click.option("--x", metavar="X", help="The variance against num_samples, evaluations, seconds or a problem's option.")
@click.option(
    "--facet", default="problem", show_default=True, help="What makes the panels: estimator, device, dtype, …"
)
@click.option("--format", "form", type=click.Choice(["png", "svg", "pdf"]), default="png")
def command(run: str, where: Sequence[str], kinds: tuple[str, ...], x: str | None, facet: str, form: str) -> None:
    """Draw the figures of a RUN into its folder."""
    from experiments.plots import plots_of, save_plots

    folder, loaded = open_run(run, where)
    asked = (f"-against-{x}" if x else "") + (f"-by-{facet}" if facet != "problem" else "") + file_name(where)
    drawings = {f"{kind}{asked}": figure for kind, figure in plots_of(loaded, kinds, x, facet).items()}
    for file in save_plots(drawings, folder / "plots", form):
        click.echo(file)
