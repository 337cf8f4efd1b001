"""The folder where gradmark keeps what it can compute again."""

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """$GRADMARK_CACHE, or gradmark in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradmark"
    return Path(os.environ.get("GRADMARK_CACHE") or default)
