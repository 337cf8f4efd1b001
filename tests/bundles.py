"""Bundles to be opened, and to be tampered with."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from stored_cells import CELLS, ENTRY, KEYS, RESULT

from experiments.statistics import GROUPS
from experiments.store import Source, Store, bundle, load
from experiments.store.bundles import archive
from experiments.store.bundles.hashes import MANIFEST, manifest

__all__ = ["SOURCES", "edited", "members", "tiny"]

SOURCES = (Source("1/mine.py", True, b"import beside\n"), Source("1/beside.py", False, b"X = 1\n"))


def tiny(folder: Path, sources: tuple[Source, ...] = SOURCES) -> Path:
    """A bundle of four cells: measured and timed, skipped, failed, and one that is missing."""
    run, file = folder / "run", folder / "tiny.zip"
    with Store.open(run) as store:
        store.add_run({"cpu": "some", "ort": "Köln"}, KEYS, '{"name": "tiny"}', sources)
        logs = [{"quantity": "mse", "logs": bytes(8 * GROUPS)}]
        infinite = RESULT | {"total_variance_high": float("inf"), "nonfinite": 0, "warnings": ""}
        store.put_statistics(CELLS[0], infinite, parameters=[ENTRY] * 3, leave_one_out=logs)
        store.put_timing(CELLS[0].key, {"device_name": "some CPU"}, {"latency": [1.0, 0.1]})
        store.put_skipped(CELLS[1], "for a reason\nof two lines")
        store.put_failure(CELLS[2], "no luck", traceback="in /home/somebody")
    bundle(load(run), file, "MIT License\n")
    return file


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def edited(file: Path, name: str, edit: Callable[[bytes], bytes | None], *, hashed: bool = False) -> Path:
    """A bundle with a file edited, or removed where that gives None; `hashed`: by somebody who makes the hashes fit."""
    found = members(file)
    content = edit(found.pop(name, b""))
    if content is not None:
        found[name] = content
    if hashed:
        found[MANIFEST] = manifest(found).written
    copy = file.with_name("edited.zip")
    archive.write(copy, found)
    return copy
