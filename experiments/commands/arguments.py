"""Components and runs that a user gives, by name or by file."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from estimators.interface import Problem
    from estimators.registry import Kind
    from experiments.store import Run

__all__ = ["REASONS", "begun", "file_name", "given", "load_plugins", "locate", "open_run", "registered_by"]

REASONS = "estimator,problem,status,timing_status,error"
"""The columns of a run that say why something is missing."""
LONGEST = 80
"""Characters of a file's name that say which part of a run it shows."""
USE: dict["Kind", str] = {
    "problem": "gradmark rank {name} ranks the estimators on it",
    "estimator": "gradmark check {name} tests it",
    "control variate": "{fits}:control_variate={name} is an estimator",
}


def load_plugins(files: Iterable[str]) -> None:
    """Import plug-in files, so that what they register can be named. ValueError: one cannot be imported."""
    from estimators.registry import load_plugin

    for file in files:
        load_plugin(file)


def given(kind: "Kind", spec: str) -> str:
    """The spec as it is. ValueError: it names something of another kind."""
    from estimators.interface import specs
    from estimators.registry import components

    name, _ = specs.split(spec)
    for other, use in USE.items():
        if name in components(other) and name not in components(kind):
            article = "an" if other == "estimator" else "a"
            fits = getattr(components(other)[name], "fits", "")
            raise ValueError(f"'{name}' is no {kind} but {article} {other}: {use.format(name=name, fits=fits)}")
    return spec


def begun(problem: "Problem", after: int | None, state: str | None) -> "Problem":
    """The problem where --after or --state say that it begins. ValueError: it cannot begin there, or both are given."""
    from experiments.problems.state_file import started_from
    from experiments.problems.trained_start import started_after
    from experiments.terminal.progress import narrator

    if after is not None and state is not None:
        raise ValueError("--after and --state are two places to begin at: give one of them")
    if state is not None:
        return started_from(problem, state)
    if after is None:
        return problem
    with narrator() as progress:
        progress.start("training first", 1)
        return started_after(problem, after, progress.doing)


def registered_by(file: str, kind: "Kind") -> list[str]:
    """Import a plug-in file and name the components of a kind that it registers. ValueError: it registers none.

    What the modules beside it register counts where it has none of its own.
    """
    from estimators.registry import components, load_plugin, source_file

    before = components(kind)
    load_plugin(file)
    found = {name: cls for name, cls in components(kind).items() if before.get(name) is not cls}
    if not found:
        decorator = f'@register_{kind.replace(" ", "_")}("name")'
        raise ValueError(f"{file} registers no {kind}: put {decorator} above its class")
    own = str(Path(file).expanduser().resolve())
    return [name for name, cls in found.items() if source_file(cls) == own] or list(found)


def open_run(name: str, where: Sequence[str] = ()) -> tuple[Path, "Run"]:
    """The results of a run, of these what --where asks, and the folder for what is made of them.

    A run is a name under results/, a folder, a store file or a bundle, which has a folder of its own beside it.
    StoreError: there is none. ValueError: it has no such cells.
    """
    from experiments.store import load
    from experiments.store.bundles import is_archive

    path = locate(name)
    run = load(path)
    if where:
        from experiments.analysis import where as parts  # imports torch, which a run as a whole does without

        run = parts.where(run, where)
    if not path.is_file():
        return path, run
    return (path.with_name(f"{path.stem}-bundle") if is_archive(path) else path.parent), run


def file_name(where: Sequence[str]) -> str:
    """What the name of a file says of the part of a run that it shows, `-where-S=8`; '' of a whole run."""
    text = re.sub(r"[^\w.=+-]+", "-", ",".join(where))
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}-{hashlib.sha256(','.join(where).encode()).hexdigest()[:8]}"
    return f"-where-{text}" if where else ""


def locate(name: str) -> Path:
    """The folder, store file or bundle that a run of this name has, or would have."""
    path = Path(name)
    return path if path.exists() or path.parent != Path() else Path("results") / name
