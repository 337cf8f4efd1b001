"""Files that follow from something else, made anew only where they would not be what they are."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from experiments.machine.files import replacing
from experiments.machine.provenance import SOURCE, version

__all__ = ["Outputs", "state_of_the_code"]

RECORD = ".outputs.json"


@dataclass(frozen=True)
class Outputs:
    """The files of a folder that were made of the same inputs together, and a note of them beside them.

    The note holds the state of all inputs and the content of each file: an input that changed, a file that is missing,
    cut or written by something else, all make the files stale.
    """

    folder: Path
    inputs: str
    """A digest of all that the files follow from."""

    @classmethod
    def of(cls, folder: Path, *inputs: str) -> "Outputs":
        return cls(folder, _digest("\n".join(inputs).encode()))

    @property
    def current(self) -> bool:
        """Whether the files that were noted are there as they were made, of these inputs."""
        try:
            noted = json.loads((self.folder / RECORD).read_text("utf-8"))
            files = noted["files"]
            return noted["inputs"] == self.inputs and bool(files) and all(map(self._unchanged, files.items()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def note(self, files: Sequence[Path]) -> None:
        """Note the files as they are now; where that cannot be written, they are made anew the next time."""
        found = {str(file.relative_to(self.folder)): _digest(file.read_bytes()) for file in files}
        with suppress(OSError), replacing(self.folder / RECORD) as temporary:
            temporary.write_text(json.dumps({"inputs": self.inputs, "files": found}, indent=1), "utf-8")

    def _unchanged(self, noted: tuple[str, str]) -> bool:
        file, digest = noted
        return _digest((self.folder / file).read_bytes()) == digest


def state_of_the_code(folders: Iterable[str], packages: Iterable[str]) -> str:
    """The versions of packages, and the state of our own files: an edit in a checkout changes no version."""
    files = sorted(file for folder in folders for file in (SOURCE / folder).rglob("*") if file.is_file())
    stats = ((file, file.stat()) for file in files if file.suffix != ".pyc")
    parts = [f"{file.relative_to(SOURCE)} {stat.st_size} {stat.st_mtime_ns}" for file, stat in stats]
    return _digest("\n".join([*(f"{package} {version(package)}" for package in packages), *parts]).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
