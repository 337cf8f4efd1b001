"""Bundles to be opened, and to be tampered with."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from processes import own_tables
from stored_cells import CELLS, ENTRY, KEYS, RESULT

from experiments.engine import run
from experiments.statistics import GROUPS
from experiments.store import Source, Store, bundle, load
from experiments.store.bundles import archive
from experiments.store.bundles.hashes import MANIFEST, manifest
from experiments.sweep import read_sweep
from experiments.terminal.progress import silent

__all__ = ["GONE", "SOURCES", "SWEEP", "bundled", "edited", "members", "of", "tiny"]

SOURCES = (Source("1/mine.py", True, b"import beside\n"), Source("1/beside.py", False, b"X = 1\n"))

SWEEP = """
estimator = ["pathwise", "exact", "score-function"{more}]
problem = ["gaussian-quadratic:dim=2"]
num_samples = [4]
stop = {{ replicates = 20_032 }}
timing = {{ enabled = false }}
seed = 3
"""


def tiny(folder: Path, sources: tuple[Source, ...] = SOURCES) -> Path:
    """A bundle of four cells: measured and timed, skipped, failed, and one that is missing."""
    stored, file = folder / "run", folder / "tiny.zip"
    with Store.open(stored) as store:
        store.add_run({"cpu": "some", "ort": "Köln"}, KEYS, '{"name": "tiny"}', sources)
        logs = [{"quantity": "mse", "logs": bytes(8 * GROUPS)}]
        infinite = RESULT | {"total_variance_high": float("inf"), "nonfinite": 0, "warnings": ""}
        store.put_statistics(CELLS[0], infinite, parameters=[ENTRY] * 3, leave_one_out=logs)
        store.put_timing(CELLS[0].key, {"device_name": "some CPU"}, {"latency": [1.0, 0.1]})
        store.put_skipped(CELLS[1], "for a reason\nof two lines")
        store.put_failure(CELLS[2], "no luck", traceback="in /home/somebody")
    bundle(load(stored), file, "MIT License\n")
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


def bundled(folder: Path, sweep: str) -> Path:
    """A sweep in a folder, run and put into an archive there."""
    (folder / "own.toml").write_text(sweep)
    with own_tables():
        run(read_sweep(folder / "own.toml"), folder / "run", silent())
    bundle(load(folder / "run"), folder / "own.zip", "MIT License\n")
    return folder / "own.zip"


GONE = "gone"


def of(which: str, **changes: float | str) -> Callable[[bytes], bytes]:
    """An edit of the row of an estimator: texts in place of what is there, and factors."""

    def changed(old: float, change: float | str) -> float | str:
        return change if isinstance(change, str) else type(old)(old * change)

    def edit(text: bytes) -> bytes:
        rows = [json.loads(line) for line in text.splitlines()]
        for row in rows:
            if row["estimator"] == which:
                row |= {name: changed(row[name], change) for name, change in changes.items()}
                for name in [name for name, change in changes.items() if change == GONE]:
                    del row[name]
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()

    return edit
