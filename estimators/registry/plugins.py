"""Plug-ins by file, and how one version of a plug-in is told from the next."""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from estimators.interface import Component, specs
from estimators.registry.registration import load_installed, source_file, tables
from estimators.sampling.family import forget_families

__all__ = ["load_plugin", "source_digest", "source_is_known", "unload_plugin"]


def load_plugin(path: str | Path) -> None:
    """Import a plug-in file, which registers its classes. ValueError: unreadable or broken."""
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"plug-in file {path} does not exist")
    load_installed()
    module_name = f"gradmark_plugin_{hashlib.sha256(os.fsencode(file)).hexdigest()[:12]}"
    module_spec = importlib.util.spec_from_file_location(module_name, file)
    if module_spec is None or module_spec.loader is None:
        raise ValueError(f"plug-in file {path} is not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_name] = module
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise ValueError(f"plug-in file {path} could not be loaded: {type(error).__name__}: {error}") from error


def unload_plugin(path: str | Path) -> None:
    """Forget what a plug-in file registered, as before another is loaded that uses the same names."""
    file = str(Path(path).expanduser().resolve())
    for table in tables.values():
        for name in [name for name, cls in table.items() if source_file(cls) == file]:
            del table[name]
    forget_families(file)


def source_digest(component: Component) -> str:
    """A hash of the files that define the component, its parts and their base classes; '' for what gradmark ships.

    Other files that these import or read are not looked at.
    """
    files = {source_file(cls) for cls in _foreign_classes(component)}
    contents = [Path(file).read_bytes() for file in sorted(files) if file]
    return hashlib.sha256(b"\0".join(contents)).hexdigest() if contents else ""


def source_is_known(component: Component) -> bool:
    """Whether `source_digest` tells one version of the component from the next: not for a class of a notebook."""
    return all(source_file(cls) for cls in _foreign_classes(component))


def _parts(component: Component) -> list[Component]:
    nested = [getattr(component, key) for key in specs.options(type(component))]
    return [component, *(part for value in nested if isinstance(value, Component) for part in _parts(value))]


def _foreign_classes(component: Component) -> set[type]:
    """The classes and bases of the component and its parts that neither gradmark nor Python ships."""
    shipped = {"estimators", "experiments", *sys.stdlib_module_names}
    classes = {cls for part in _parts(component) for cls in type(part).__mro__}
    return {cls for cls in classes if cls.__module__.partition(".")[0] not in shipped}
