"""The board of the bundles in results/community, as a page."""

from itertools import groupby
from pathlib import Path

from experiments.commands.board import as_markdown
from experiments.ranking.board import boards
from experiments.store import load
from experiments.terminal.tables import literal

__all__ = ["board"]

INTRODUCTION = """# Board

What people have measured and sent in, on each problem in groups of ties: what is not told apart from the best of a
group is in that group. By variance × evaluations, which no machine decides, and by MSE × seconds on each machine.
Anybody can [compute it again, and add a bundle](bundles.md)."""
NOTHING = "No bundle is there yet."


def board(folder: Path) -> str:
    """The page of all bundles in a folder."""
    found = boards({bundle.stem: load(bundle) for bundle in sorted(folder.glob("*.zip"))})
    parts = [INTRODUCTION] if found else [INTRODUCTION, NOTHING]
    for problem, each in groupby(found, key=lambda one: one.problem):
        parts += [f"## {literal(problem)}", *map(as_markdown, each)]
    return "\n\n".join(parts)
