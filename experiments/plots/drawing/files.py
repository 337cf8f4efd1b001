"""Files that are whole or absent."""

from pathlib import Path

from matplotlib.figure import Figure

from experiments.machine.files import replacing
from experiments.plots.drawing.style import paper_style

__all__ = ["FORMATS", "save"]

# Format -> metadata. Without a date in the file, the same cells give the same bytes.
FORMATS: dict[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format that the path's suffix names."""
    format = path.suffix.removeprefix(".")
    with paper_style(), replacing(path) as temporary:
        figure.savefig(temporary, format=format, metadata=FORMATS[format])
    return path
