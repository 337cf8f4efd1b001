"""`gradmark bundle`: a run in one archive that can be given away and verified."""

from pathlib import Path

import click

from experiments.commands.arguments import REASONS, open_run
from experiments.commands.options import run_argument
from experiments.terminal.completion import complete_file


@click.command("bundle")
@run_argument
@click.option(
    "-o", "--output", metavar="FILE", shell_complete=complete_file, help="The archive; default: NAME.zip here."
)
@click.option(
    "--license",
    "terms",
    metavar="FILE",
    shell_complete=complete_file,
    help="The licence of results and plug-ins; default: gradmark's own, the MIT License.",
)
def command(run: str, output: str | None, terms: str | None) -> None:
    """Put a RUN into one archive: its cells in an open format, provenance, plug-ins, a hash of each file and of all.

    The same run gives the same bytes. `gradmark verify`, show, report, compare and plot open it.
    """
    from experiments.machine.provenance import license_text
    from experiments.store import bundle

    folder, loaded = open_run(run)
    file = Path(output or f"{folder.resolve().name}.zip")
    found = bundle(loaded, file, license_text() if terms is None else Path(terms).read_text("utf-8"))
    click.echo(file)
    missing = loaded.planned - len(loaded.cells)
    left = f"; {missing} that were planned are missing, repeat the run" if missing else ""
    failed = sum(status not in ("done", "skipped") for status in loaded.cells["status"])
    left += f"; {failed} failed: gradmark show {run} --columns {REASONS}" if failed else ""
    click.echo(f"{len(loaded.cells)} cells, sha256 {found}{left}", err=True)
