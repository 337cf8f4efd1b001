"""Plug-ins by file, and how one version of a plug-in is told from the next."""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from estimators.interface import Component, specs
from estimators.registry import neighbours
from estimators.registry.faults import message, raised_at
from estimators.registry.registration import load_installed, source_file, tables
from estimators.sampling.family import forget_families

__all__ = ["load_plugin", "plugin_files", "source_digest", "source_is_known", "unload_plugin"]

PREFIX = "gradmark_plugin_"
DIGITS = 12


def load_plugin(path: str | Path) -> None:
    """Import a plug-in file, which registers its classes. ValueError: unreadable or broken.

    It may import the modules that lie beside it, which are read anew.
    """
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"plug-in file {path} does not exist")
    load_installed()
    module_name = _module_name(file)
    if file.suffix != ".py":
        raise ValueError(f"plug-in file {path} is not a Python file (its name must end in .py)")
    loader = neighbours.FromSource(module_name, str(file))
    module_spec = importlib.util.spec_from_file_location(module_name, file, loader=loader)
    assert module_spec is not None
    module = importlib.util.module_from_spec(module_spec)
    neighbours.forget(module_name)
    sys.modules[module_name] = module
    try:
        with neighbours.importing_from(file.parent, module_name):
            loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        neighbours.forget(module_name)
        told = f"{type(error).__name__}: {message(error)}{raised_at(error)}"
        raise ValueError(f"plug-in file {path} could not be loaded: {told}") from error


def plugin_files(path: str | Path) -> list[Path]:
    """A plug-in file that is loaded, and those of the modules beside it that it has imported."""
    file = Path(path).expanduser().resolve()
    return [file, *neighbours.beside(_module_name(file))]


def unload_plugin(path: str | Path) -> None:
    """Forget what a plug-in file registered, as before another is loaded that uses the same names."""
    files = {str(file) for file in plugin_files(path)}
    for table in tables.values():
        for name in [name for name, cls in table.items() if source_file(cls) in files]:
            del table[name]
    for file in files:
        forget_families(file)
    neighbours.forget(_module_name(Path(path).expanduser().resolve()))


def _module_name(file: Path) -> str:
    return f"{PREFIX}{hashlib.sha256(os.fsencode(file)).hexdigest()[:DIGITS]}"


def source_digest(component: Component) -> str:
    """A hash of the files that define the component, its parts and their base classes; '' for what gradmark ships.

    The modules beside a plug-in file count, if it has imported them; what it reads otherwise is not looked at.
    """
    classes = _foreign_classes(component)
    files = {source_file(cls) for cls in classes}
    loaded_as = {cls.__module__[: len(PREFIX) + DIGITS] for cls in classes if cls.__module__.startswith(PREFIX)}
    files |= {str(file) for name in loaded_as for file in neighbours.beside(name)}
    files |= {file for part in _parts(component) for file in part.sources}
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
