"""Files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from experiments.plots.style import paper_style

__all__ = ["FORMATS", "replacing", "save"]

# Format -> metadata. Without a date in the file, the same cells give the same bytes.
FORMATS: dict[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and removed on failure.

    ValueError: the folder of `path` cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path.parent} cannot be a folder: a file is in the way; move it away and repeat") from None
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
