"""`gradmark plot`: the figures of a run, drawn into its folder."""

from pathlib import Path
from pkgutil import iter_modules

import click

from experiments.commands.arguments import open_run
from experiments.commands.options import run_argument

FIGURES = [file.name.replace("_", "-") for file in iter_modules([str(Path(__file__).parents[1] / "plots" / "kinds")])]
"""The kinds of figure, by the names of their files: importing them would import matplotlib."""


@click.command("plot")
@run_argument
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
def command(run: str, kinds: tuple[str, ...], x: str | None, facet: str, form: str) -> None:
    """Draw the figures of a RUN into its folder."""
    from experiments.plots import plots_of, save_plots

    folder, loaded = open_run(run)
    asked = (f"-against-{x}" if x else "") + (f"-by-{facet}" if facet != "problem" else "")
    drawings = {f"{kind}{asked}": figure for kind, figure in plots_of(loaded, kinds, x, facet).items()}
    for file in save_plots(drawings, folder / "plots", form):
        click.echo(file)
