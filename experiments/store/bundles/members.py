"""The files of a bundle: from a run, and to a run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import pandas as pd

from experiments.store.bundles.hashes import MANIFEST, manifest
from experiments.store.bundles.ranges import out_of_range
from experiments.store.bundles.tables import FILES, lines, table
from experiments.store.bundles.texts import is_plain, is_readable
from experiments.store.derived import derived
from experiments.store.reading import Run
from experiments.store.schema import FAILURES, SCHEMA_VERSION, Source

__all__ = ["contents", "run_of"]

FORMAT = "gradmark bundle"
BUNDLE, PROVENANCE, SWEEP, LICENSE, PLUGINS = "bundle.json", "provenance.json", "sweep.json", "LICENSE", "plugins/"
ABOUT = "README.md"
SOURCE = ".py"
README = """# Results of gradmark

`gradmark show FILE.zip` and `gradmark report FILE.zip` open this archive, and `gradmark verify FILE.zip` recomputes
some of it. Every `.jsonl` file is a table, a JSON object a line, which `pandas.read_json(file, lines=True)` reads:

- `cells.jsonl`: an estimator on a problem a row, with its variance, bias and time, each with its 95 % interval
- `parameters.jsonl`, `signals.jsonl`: entry by entry, and parameter by parameter
- `timings.jsonl`: every round of timing; `traces.jsonl`: training curves
- `leave_one_out.jsonl`: logarithms without one group of replicates each, for paired comparisons

Beside them lie `sweep.json` (what was asked for), `provenance.json` (versions and machine), `plugins/` (code that is
not gradmark's own) and `manifest.json` (a SHA-256 of each file, of each cell, and of all).
"""
STATUSES = frozenset({"done", "skipped", "interrupted", *FAILURES})


class _Bundle(msgspec.Struct, forbid_unknown_fields=True):
    """What `bundle.json` holds."""

    format: str
    schema: int
    plan: list[str]
    plugins: list[str]
    """The sources that are loaded; the others lie beside them."""


def contents(run: Run, license_text: str) -> dict[str, bytes]:
    """The files of a run, the manifest among them: of plug-ins the sources alone, which can be read."""
    sources = [source for source in run.sources if source.path.endswith(SOURCE)]
    plugins = [f"{PLUGINS}{source.path}" for source in sources if source.is_plugin]
    about = _Bundle(FORMAT, SCHEMA_VERSION, list(run.plan), plugins)
    found = {
        BUNDLE: _json(msgspec.to_builtins(about)),
        PROVENANCE: _json(run.provenance),
        SWEEP: _json(json.loads(run.sweep)),
        LICENSE: license_text.encode(),
        ABOUT: README.encode(),
        **{FILES[name]: lines(getattr(run, name), name) for name in FILES},
        **{f"{PLUGINS}{source.path}": source.content for source in sources},
    }
    return {**found, MANIFEST: manifest(found).written}


def run_of(files: Mapping[str, bytes]) -> Run:
    """The run in the files of a bundle. ValueError: a file is missing, or is not what it should be."""
    _require(files, BUNDLE, PROVENANCE, SWEEP, FILES["cells"])
    about = _decoded(files, BUNDLE, _Bundle)
    if about.format != FORMAT or about.schema > SCHEMA_VERSION:
        version = f"schema {about.schema}, here {SCHEMA_VERSION}"
        raise ValueError(f"a later version of gradmark wrote it ({version}): use the version that {PROVENANCE} names")
    if about.schema == SCHEMA_VERSION:  # an earlier version had no more tables and columns than it wrote
        _require(files, *FILES.values())
    frames = {name: table(files.get(file, b""), name) for name, file in FILES.items()}
    told = _decoded(files, PROVENANCE, dict[str, str])
    if not all(map(is_plain, (*told, *told.values(), *about.plan, *about.plugins))):
        raise ValueError(f"{PROVENANCE} or {BUNDLE} has control characters")
    if wrong := next(chain(_strangers(files, about.plugins), _misfits(frames, about), out_of_range(frames)), None):
        raise ValueError(wrong)
    return Run(
        **{name: frame for name, frame in frames.items() if name != "cells"},
        cells=derived(frames["cells"]),
        provenance=told,
        plan=tuple(about.plan),
        sweep=json.dumps(_decoded(files, SWEEP, dict[str, Any])),
        sources=tuple(_sources(files, about.plugins)),
    )


def _require(files: Mapping[str, bytes], *names: str) -> None:
    for name in names:
        if name not in files:
            raise ValueError(f"{name} is missing")


def _strangers(files: Mapping[str, bytes], plugins: Sequence[str]) -> Iterator[str]:
    """What is in the archive and should not be, or the reverse: who reads `plugins/` has to see all the code."""
    known = {BUNDLE, PROVENANCE, SWEEP, LICENSE, ABOUT, MANIFEST, *FILES.values()}
    for name in files:
        if name not in known and not name.startswith(PLUGINS):
            yield f"{name} is no file of a bundle"
    for name in (*plugins, *(file for file in files if file.startswith(PLUGINS))):
        if not (name.startswith(PLUGINS) and name.endswith(SOURCE)):
            yield f"{name} is no source of a plug-in in {PLUGINS}"
        if name not in files:
            yield f"{name} is missing"
        elif not is_readable(files[name]):
            yield f"{name} is not the plain UTF-8 that a reader of it sees"


def _misfits(frames: Mapping[str, pd.DataFrame], about: _Bundle) -> Iterator[str]:
    """What does not go together, though each table is one."""
    cells = frames["cells"]
    if len(set(about.plan)) < len(about.plan):
        yield "a cell is planned twice"
    if not cells["key"].is_unique:
        yield f"cell {cells.loc[cells['key'].duplicated(), 'key'].iloc[0]} stands twice in cells.jsonl"
    for name, frame in frames.items():
        if strangers := sorted(set(frame["key"]) - set(about.plan)):
            yield f"{FILES[name]} has rows of a cell {strangers[0]!r}, which is not planned"
    if unknown := sorted(set(cells["status"]) - STATUSES):
        yield f"a cell has the status {unknown[0]!r}, which is none"


def _sources(files: Mapping[str, bytes], plugins: Sequence[str]) -> Iterator[Source]:
    """Plug-ins in the order in which they are loaded, then what lies beside them."""
    beside = [name for name in files if name.startswith(PLUGINS) and name not in plugins]
    for name in (*plugins, *beside):
        yield Source(name.removeprefix(PLUGINS), name in plugins, files[name])


def _decoded(files: Mapping[str, bytes], name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(files[name], type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {error}") from None


def _json(value: Any) -> bytes:
    return f"{json.dumps(value, indent=1, ensure_ascii=False)}\n".encode("utf-8", "replace")
