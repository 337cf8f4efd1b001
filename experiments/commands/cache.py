"""`gradmark cache`: the gradients that were measured where none is known exactly."""

import click

from experiments.terminal.completion import complete_component


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove them, so that they are measured anew.")
@click.option(
    "-p",
    "--problem",
    "problems",
    multiple=True,
    metavar="SPEC",
    shell_complete=complete_component("problem"),
    help="Only those of this problem, by its spec as listed.",
)
def command(clear: bool, problems: tuple[str, ...]) -> None:
    """List the reference gradients that were measured and kept, or --clear them.

    A reference is measured anew by itself where the problem, its file, its parameters or what it does with samples
    change. `--fresh` of run, rank and check clears those of its problems.
    """
    from experiments.measuring.reference_files import folder, forget, kept
    from experiments.terminal.tables import print_table

    wanted = frozenset(problems) or None
    if clear:
        removed = forget(wanted)
        click.echo(f"{removed} removed from {folder()}")
        return
    rows = [
        [one.problem, one.objective, _known(one.measured, one.error), one.remark]
        for one in kept()
        if wanted is None or one.problem in wanted
    ]
    if rows:
        print_table(["problem", "gradient of", "reference", "remark"], rows, title=str(folder()))
    else:
        click.echo(f"no reference gradients in {folder()}")


def _known(measured: bool, error: float | None) -> str:
    """How well, in a few words."""
    from experiments.terminal.numbers import percent

    return (f"to {percent(error)}" if error else "measured") if measured else "none found"
