"""Files that are whole or absent, and names that are known or refused."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from matplotlib.figure import Figure

from experiments.plots.style import paper_style

__all__ = ["FORMATS", "check_known", "replacing", "save"]

# Format -> metadata. Without a date in the file, the same cells give the same bytes.
FORMATS: dict[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def check_known(what: str, name: str, known: Collection[str]) -> None:
    """Raise ValueError, one line that names the nearest known name, if `name` is not known."""
    if name not in known:
        close = get_close_matches(name, list(known), n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown {what} {name!r}: did you mean {close!r}? Known: {', '.join(known)}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and removed on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format that the path's suffix names."""
    format = path.suffix.removeprefix(".")
    with paper_style(), replacing(path) as temporary:
        figure.savefig(temporary, format=format, metadata=FORMATS[format])
    return path
