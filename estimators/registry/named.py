"""Objects by name, `module:object`, as `python -m` would find the module from this folder."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

__all__ = ["attribute", "imported", "nothing_imported"]

_refusal: ContextVar[str] = ContextVar("refusal", default="")


@contextmanager
def nothing_imported(why: str) -> Iterator[None]:
    """While it lasts, asking for a module raises ValueError with the reason: specs of strangers are being read."""
    token = _refusal.set(why)
    try:
        yield
    finally:
        _refusal.reset(token)


def imported(module: str) -> Any:
    """A module that is installed or lies in this folder, or that of a file. ValueError: there is none.

    A file there goes before a module of its name from elsewhere, which stays what it is for everybody else.
    """
    if why := _refusal.get():
        raise ValueError(f"module '{module}' is not imported: {why}")
    file = Path(module).expanduser()
    folder, name = (file.parent, file.stem) if module.endswith(".py") else (Path(), module)
    own, known = (folder / f"{name}.py").resolve(), sys.modules.get(name)
    elsewhere = known is not None and own.exists() and getattr(known, "__file__", None) != str(own)
    if elsewhere:
        del sys.modules[name]
    sys.path.insert(0, str(folder.resolve()))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split(".")[0]:
            raise
        raise ValueError(f"there is no module '{module}' in this folder, and none is installed") from error
    finally:
        sys.path.remove(str(folder.resolve()))
        if elsewhere and known is not None:
            sys.modules[name] = known


def attribute(module: str, name: str) -> Any:
    """`name` may go on with dots: an attribute of an object, such as a method. ValueError: there is none."""
    found: Any = imported(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{module} has no '{name}'")
        found = getattr(found, part)
    return found
