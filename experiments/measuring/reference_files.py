"""The measured references on disk: each under everything that defines it, to be listed and forgotten."""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from estimators.registry import source_digest
from experiments.gradients.fingerprint import fingerprint
from experiments.gradients.workload import Workload
from experiments.machine.caching import cache_folder
from experiments.machine.files import replacing
from experiments.machine.provenance import version
from experiments.measuring.reference import NoReference, Reference
from experiments.statistics import GROUPS, relative_error

__all__ = ["Kept", "folder", "forget", "keep", "kept", "key_of", "read"]


@final
@dataclass(frozen=True)
class Kept:
    """A file of a reference, and what it says of itself."""

    file: Path
    problem: str
    objective: str
    measured: bool
    """False: that there is no reference has been found."""
    remark: str
    error: float | None = None
    """The standard error along the gradient, relative to it; None: it is not known."""
    allowed: tuple[float | None, float | None] = (None, None)
    """The seconds and evaluations that it was allowed, where more would make a better one."""
    disputed: bool = False


def key_of(workload: Workload) -> str:
    """A hash of all that defines a reference: versions, source, data, and a fingerprint of what is at the point."""
    parts = [version() or "unknown", torch.__version__, workload.problem.spec, source_digest(workload.problem)]
    parts += [workload.objective.name, *workload.objective.measured_by, fingerprint(workload)]
    if own := workload.objective.of_samples:  # by whatever name
        parts.append(str(own))
    digest = hashlib.sha256("\x1f".join(parts).encode())
    data = {name: value for name, value in vars(workload.problem).items() if isinstance(value, torch.Tensor)}
    for name, value in sorted(data.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


def read(key: str, size: int) -> Reference | NoReference | None:
    """What is kept for a gradient of `size` entries; None: nothing that can be read."""
    found = _read(_file(key))
    if found is None:
        return None
    groups, about = found
    seconds, evaluations = (math.inf if value is None else float(value) for value in about.get("allowed", (None, None)))
    if not about["measured"]:
        return NoReference(about["remark"], (seconds, evaluations), about.get("disputed", False))
    fits = groups.shape == (GROUPS, size) and np.isfinite(groups).all()
    return Reference("measured", groups, about["remark"], (seconds, evaluations)) if fits else None


def keep(key: str, workload: Workload, found: Reference | NoReference) -> None:
    """Write a file. A cache that cannot be written is no error."""
    measured = isinstance(found, Reference)
    about = {
        "problem": workload.problem.spec,
        "objective": workload.objective.name,
        "measured": measured,
        "remark": found.remark,
        "disputed": not measured and found.disputed,
        "error": relative_error(found.groups) if measured else None,
        "allowed": [value if math.isfinite(value) else None for value in found.allowed],
    }
    groups = found.groups if measured else np.zeros((0, 0))
    with suppress(OSError, ValueError), replacing(_file(key)) as temporary, temporary.open("wb") as stream:
        np.savez(stream, groups=groups, about=np.array(json.dumps(about)))


def kept() -> Iterator[Kept]:
    """All files, the newest first."""
    files = [file for file in folder().glob("*.npz") if file.is_file()]
    for file in sorted(files, key=lambda file: -file.stat().st_mtime):
        if (found := _read(file)) is not None:
            yield Kept(file, **found[1])


def forget(problems: frozenset[str] | None = None) -> int:
    """Remove what is kept for problems, by their specs, or all; the number of files."""
    files = folder().glob("*.npz") if problems is None else [one.file for one in kept() if one.problem in problems]
    removed = 0
    for file in list(files):
        with suppress(OSError):
            file.unlink()
            removed += 1
    return removed


def folder() -> Path:
    return cache_folder() / "references"


def _file(key: str) -> Path:
    return folder() / f"{key}.npz"


def _read(file: Path) -> tuple[np.ndarray, dict[str, Any]] | None:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return stored["groups"], json.loads(str(stored["about"]))
    except Exception:  # damaged files are read in many ways
        return None
