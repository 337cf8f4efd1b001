"""A run in one archive that can be given away: in an open format, with what it was made of, and with its hashes."""

from pathlib import Path

from experiments.store.bundles import archive
from experiments.store.bundles.archive import is_archive
from experiments.store.bundles.hashes import changes, manifest
from experiments.store.bundles.members import contents, run_of
from experiments.store.bundles.texts import shown
from experiments.store.reading import Run
from experiments.store.schema import StoreError

__all__ = ["Changed", "bundle", "is_archive", "opened"]

LISTED = 10
"""The most files and cells that an error names."""


class Changed(StoreError):
    """The archive can be read, and is not what its manifest says."""

    def __init__(self, file: Path, found: list[str]) -> None:
        self.found = [shown(one) for one in found]
        more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
        super().__init__(f"{file} is not as it was written: {'; '.join(self.found[:LISTED])}{more}")


def bundle(run: Run, file: Path, license_text: str) -> str:
    """Write the bundle of a run, and return the hash of all its files. ValueError: nobody would open it."""
    found = contents(run, license_text)
    try:
        run_of(found)
    except ValueError as error:
        raise ValueError(f"nobody would open the bundle: {error}") from None
    archive.write(file, found)
    return manifest(found).sha256


def opened(file: Path) -> Run:
    """The run in a bundle.

    Raises:
        Changed: a file or a cell is not as it was when the bundle was written.
        StoreError: it is no archive, one that nobody should open, or holds something else.
    """
    files = archive.read(file)
    try:
        if found := changes(files):
            raise Changed(file, found)
        return run_of(files)
    except StoreError:
        raise
    except ValueError as error:
        raise StoreError(f"{file} is no bundle that can be read: {shown(error)}") from None
