"""Opening a run, however it is kept: as a folder, as its SQLite file, or as a bundle."""

import os
from pathlib import Path

from experiments.store.bundles import is_archive, opened
from experiments.store.reading import Run, load_store
from experiments.store.schema import FILE_NAME, StoreError

__all__ = ["load"]


def load(path: str | Path) -> Run:
    """The results in a folder, in its SQLite file, or in a bundle. Cells that the latest run did not plan are left out.

    Raises:
        StoreError: there is no such file, or it is damaged, of another version, or something else than results.
    """
    file = Path(path) if os.path.isfile(path) else Path(path) / FILE_NAME
    if not os.path.isfile(file):
        raise StoreError(f"no results at {file}; `gradmark run` writes them")
    return opened(file) if is_archive(file) else load_store(file)
