"""`gradmark merge`."""

from collections.abc import Sequence
from pathlib import Path

import click

from experiments.commands.arguments import locate
from experiments.store import merge
from experiments.sweep.keys import check_name

__all__ = ["merge_runs"]


def merge_runs(names: Sequence[str], output: str) -> None:
    """Merge runs into `results/OUTPUT` and say what came together. ValueError: a name, or a run, is wrong."""
    check_name(output)
    folder = Path("results") / output
    merged = merge([locate(name) for name in names], folder)
    again = f", {merged.duplicates} of them in several runs" if merged.duplicates else ""
    missing = f"; {merged.missing} that were planned are missing" if merged.missing else ""
    click.echo(f"{merged.cells} cells of {len(names)} runs in {folder}{again}{missing}")
