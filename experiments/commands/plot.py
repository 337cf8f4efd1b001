"""`gradmark plot`: the figures of a run, drawn into its folder."""

from collections.abc import Collection, Sequence
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
@click.option(
    "--width",
    type=click.FloatRange(1.5, 30),
    metavar="INCHES",
    help="For a paper: as wide as its column (3.3), in PDF, fonts embedded, one panel without a title.",
)
@click.option(
    "--label", "given", multiple=True, metavar="SPEC=NAME", help="What to call an estimator or a problem; repeatable."
)
@click.option("--format", "form", type=click.Choice(["png", "svg", "pdf"]), help="Default: png, with --width pdf.")
def command(
    run: str,
    where: Sequence[str],
    kinds: tuple[str, ...],
    x: str | None,
    facet: str,
    width: float | None,
    given: tuple[str, ...],
    form: str | None,
) -> None:
    """Draw the figures of a RUN into its folder."""
    from experiments.plots import plots_of, save_plots
    from experiments.plots.drawing.page import fitted
    from experiments.terminal.labels import called

    folder, loaded = open_run(run, where)
    names = _names(given, {*loaded.cells["estimator"], *loaded.cells["measured_on"]})
    asked = (f"-against-{x}" if x else "") + (f"-by-{facet}" if facet != "problem" else "") + file_name(where)
    asked += f"-{width:g}in" if width else ""
    with fitted(width), called(names):
        drawings = {f"{kind}{asked}": figure for kind, figure in plots_of(loaded, kinds, x, facet).items()}
    for file in save_plots(drawings, folder / "plots", form or ("pdf" if width else "png")):
        click.echo(file)


def _names(given: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """The names by spec: what stands before the last `=` is the spec, which has such signs itself."""
    from estimators.interface.specs import nearest  # imports torch, which the command line starts without

    names = {}
    for text in given:
        spec, equals, name = text.rpartition("=")
        if not equals or not name:
            raise click.UsageError(f"--label {text!r} is not SPEC=NAME")
        if spec not in known:
            raise click.UsageError(f"no cell has {spec!r}; {nearest(spec, known)}")
        names[spec] = name
    return names
