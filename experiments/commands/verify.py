"""`gradmark verify`: whether a bundle is as it was written, and whether its figures come out again."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.commands.exits import FAILED, NOTHING, REFUTED, WELL
from experiments.commands.options import SEED, seconds_option
from experiments.terminal.completion import complete_run
from experiments.terminal.starting import starting

if TYPE_CHECKING:
    from experiments.store import Run
    from experiments.store.columns import Row
    from experiments.verifying import Answer, Judged

COLUMNS = ["", "problem", "estimator", "S", "figures", "furthest apart", "in the bundle", "here", "p"]
LISTED = 5
"""The most cells that are named of those that were not computed."""


@click.command("verify")
@click.argument("bundle", metavar="BUNDLE", shell_complete=complete_run)
@click.option("--cells", type=click.IntRange(min=1), metavar="N", help="Cells to compute anew; default: a tenth.")
@click.option("--seed", type=SEED, metavar="N", help="Chooses cells and noise; default: one that nobody knows before.")
@click.option("--trust", is_flag=True, help="Run the plug-ins in it, which may do anything on this machine.")
@click.option(
    "--significance", type=float, default=1e-3, show_default=True, help="How likely a false alarm is, of all together."
)
@seconds_option(60.0, "For the sampling of a cell; with all else it may take ten times as long.")
def command(bundle: str, cells: int | None, seed: int | None, trust: bool, significance: float, seconds: float) -> int:
    """Check the hashes of a BUNDLE, and compute some of its cells anew with other noise.

    Variances and biases do not depend on the machine: where one differs from what comes out here by more than chance,
    the exit code is 3, as where a file was changed. It is 4 where some cells need code that is not trusted.
    """
    if not 0 < significance < 1:
        raise ValueError(f"--significance must lie between 0 and 1, not {significance:g}")
    with starting():
        from experiments.commands.arguments import open_run
        from experiments.store import Changed
        from experiments.terminal.progress import narrator
        from experiments.verifying import verify
    try:
        run = open_run(bundle)[1]
    except Changed as changed:
        for line in changed.found:
            click.echo(f"{Path(bundle).name}: {line}")
        return REFUTED
    chosen = secrets.randbits(32) if seed is None else seed
    with narrator() as progress:
        found = verify(run, chosen, progress, cells=cells, trust=trust, seconds=seconds)
    judged = found.judged(significance)
    _tell(judged)
    return _told(run, found, judged, significance, trust)


def _tell(judged: "list[Judged]") -> None:
    """The cells that were computed anew, those that differ first; of each figure that differs a row, else one row."""
    from experiments.terminal.tables import print_table

    rows = []
    for one in sorted(judged, key=lambda one: not one.different):
        point = [one.row["problem"], one.row["estimator"], str(one.row["num_samples"]), str(len(one.figures))]
        for figure in one.different or [min(one.figures, key=lambda figure: figure.p_value)]:
            mark = "differs" if one.different else "agrees"
            rows.append([mark, *point, figure.name, figure.kept, figure.here, f"{figure.p_value:.2g}"])
    if rows:
        print_table(COLUMNS, rows, right=["S", "figures", "p"])


def _told(run: "Run", found: "Answer", judged: "list[Judged]", significance: float, trust: bool) -> int:
    """A line on all together, and on what was not computed; the exit code."""
    from experiments.machine.provenance import version
    from experiments.verifying import UNTRUSTED

    different = sum(bool(one.different) for one in judged)
    figures = sum(len(one.figures) for one in judged)
    click.echo(
        f"{len(judged)} of {found.cells} cells computed anew (--seed {found.seed} does it again): {different} differ, "
        f"in {figures} comparisons of which all together give a false alarm once in {1 / significance:,.0f} bundles"
    )
    there = run.provenance.get("gradmark", "")
    if different and there != version():
        click.echo(f"the bundle was measured by gradmark {there or 'of no version'}, here is {version() or 'none'}")
    for row, told in found.misfits:
        click.echo(f"contradicts itself: {_place(row)}: {told}")
    for row, why in found.failed[:LISTED]:
        click.echo(f"gradmark: not computed anew: {_place(row)}: {why}", err=True)
    if found.impossible:
        why = " ".join(next(iter(found.impossible.values())).split())
        why = UNTRUSTED if run.sources and not trust else why
        click.echo(f"gradmark: {len(found.impossible)} cells need what is not here: {why}", err=True)
    if different or found.misfits:
        return REFUTED
    return FAILED if found.failed else NOTHING if found.impossible or not judged else WELL


def _place(row: "Row") -> str:
    return f"{row['estimator']} on {row['problem']}, S={row['num_samples']}"
