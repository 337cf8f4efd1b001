"""Where sweeps come from: a TOML file, a shipped one, or flags alone."""

import importlib.resources
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from estimators.interface.specs import nearest
from experiments.sweep.convert import convert, one_line
from experiments.sweep.keys import Sweep

__all__ = ["read_sweep", "shipped_sweeps", "sweep_from_flags"]

LISTS = ("estimator", "problem", "exclude", "published")
"""The keys that are lists of tables."""


def read_sweep(source: str | Path) -> Sweep:
    """The sweep in a TOML file, or a shipped one by its name. ValueError: there is none, or it is not a valid sweep."""
    path, name = Path(source), str(source)
    if os.path.isfile(path) or path.suffix == ".toml" or len(path.parts) > 1:
        return _read(path, name)
    shipped = _shipped()
    if name not in shipped:
        raise ValueError(
            f"no sweep named {name!r}; {nearest(name, shipped)}; `gradmark list sweeps` lists the shipped ones, "
            "and a file of your own ends in .toml"
        )
    return _read(shipped[name], f"sweep '{name}'")


def sweep_from_flags(**flags: Any) -> Sweep:
    """A sweep without a file. The flags are those of `Sweep.with_overrides`."""
    return Sweep().with_overrides(**flags)


def shipped_sweeps() -> list[str]:
    """The names of the sweeps that come with the package."""
    return sorted(_shipped())


def _shipped() -> dict[str, Path]:
    folder = Path(str(importlib.resources.files("experiments"))) / "sweep" / "shipped"
    return {path.stem: path for path in folder.glob("*.toml")}


def _two_forms(error: Exception, text: str) -> str:
    """What TOML's "cannot overwrite" means where a list of components is written in two ways; '' elsewhere."""
    place = re.search(r"\(at line (\d+)", str(error))
    line = text.splitlines()[int(place[1]) - 1].strip() if place else ""
    table = re.match(r"\[\[?\s*(\w+)\s*\]", line)
    if place is None or table is None or table[1] not in LISTS:
        return ""
    key = table[1]
    remedy = f'write each as a [[{key}]] table of its own, or all in one list, {key} = ["NAME", …]'
    return f"has {line} in line {place[1]}, after {key} was given in another form: {remedy}"


def _read(path: Path, where: str) -> Sweep:
    """A sweep is named after its file, and its plug-ins lie beside it, unless it says otherwise."""
    text = ""
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"cannot read {where}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} {_two_forms(error, text) or f'is not a TOML file: {one_line(error)}'}") from None
    sweep = convert({"name": path.stem} | table, Sweep, where)
    plugins = tuple(os.path.abspath(path.parent / plugin) for plugin in sweep.plugins)
    return msgspec.structs.replace(sweep, plugins=plugins)
