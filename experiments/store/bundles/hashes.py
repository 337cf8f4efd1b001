"""The manifest of a bundle: a SHA-256 of each file, of each cell, and of all; and what does not fit it."""

import hashlib
import json
from collections.abc import Iterator, Mapping

import msgspec

from experiments.store.bundles.tables import FILES, by_cell
from experiments.store.schema import RESULTS

__all__ = ["MANIFEST", "Manifest", "changes", "manifest"]

MANIFEST = "manifest.json"


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What `manifest.json` holds."""

    files: dict[str, str]
    """The hash of each file beside the manifest."""
    cells: dict[str, str]
    """The hash of what all tables hold of a cell, by its key: it tells which cell was changed."""
    sha256: str
    """The hash of the lines `hash  name` of all files, in the order of their names, as `sha256sum` prints them."""

    @property
    def written(self) -> bytes:
        return f"{json.dumps(msgspec.to_builtins(self), indent=1)}\n".encode()


def manifest(contents: Mapping[str, bytes]) -> Manifest:
    """The manifest that fits the files of a bundle."""
    files = {name: _hash(content) for name, content in sorted(contents.items()) if name != MANIFEST}
    cells = {key: _hash(b"\n".join(found)) for key, found in sorted(by_cell(contents).items())}
    return Manifest(files, cells, _hash("".join(f"{found}  {name}\n" for name, found in files.items()).encode()))


def changes(contents: Mapping[str, bytes]) -> list[str]:
    """What does not fit the manifest, each by its name; none where all does. ValueError: there is no manifest."""
    if MANIFEST not in contents:
        raise ValueError(f"{MANIFEST} is missing")
    try:
        said = msgspec.json.decode(contents[MANIFEST], type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"{MANIFEST}: {error}") from None
    return list(_changes(said, manifest(contents), _named(contents)))


def _changes(said: Manifest, found: Manifest, named: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(said.files.keys() | found.files.keys()):
        if name not in found.files:
            yield f"{name} is missing"
        elif name not in said.files:
            yield f"{name} is not in the manifest"
        elif said.files[name] != found.files[name]:
            yield f"{name} was changed"
    if any(said.files.get(name) != found.files.get(name) for name in FILES.values()):
        for key in sorted(said.cells.keys() | found.cells.keys()):
            if said.cells.get(key) != found.cells.get(key):
                what = "was changed" if key in said.cells and key in found.cells else "was added or is missing"
                yield f"cell {key}{named.get(key, '')} {what}"
    elif said.cells != found.cells:
        yield "the hashes of the cells are not those of their rows"
    if said.files == found.files and said.sha256 != found.sha256:
        yield "the hash of all files is not that of their hashes"


def _named(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The cells in words, as far as their rows can be read."""
    found = {}
    for key, rows in by_cell(contents, RESULTS[:1]).items():
        try:
            row = msgspec.json.decode(rows[0].partition(b" ")[2])
            found[key] = f" ({row['estimator']} on {row['problem']}, S={row['num_samples']})"
        except (msgspec.MsgspecError, KeyError, RecursionError, TypeError, UnicodeDecodeError):
            continue
    return found


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
