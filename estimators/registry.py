"""Names of components, and building them from specs. Plug-ins come by entry point (`gradmark.plugins`) or by file."""

import dataclasses
import hashlib
import importlib.util
import inspect
import itertools
import os
import re
import sys
import typing
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeVar

from estimators import specs
from estimators.interface import Component, ControlVariate, Estimator, Problem

__all__ = [
    "components",
    "expand",
    "load_plugin",
    "make_control_variate",
    "make_estimator",
    "make_problem",
    "register_control_variate",
    "register_estimator",
    "register_problem",
    "source_digest",
    "source_is_known",
    "unload_plugin",
]

Kind = Literal["estimator", "problem", "control variate"]
BASES: dict[Kind, type[Component]] = {
    "estimator": Estimator,
    "problem": Problem,
    "control variate": ControlVariate,
}
NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
_tables: dict[Kind, dict[str, type[Component]]] = {kind: {} for kind in BASES}

C = TypeVar("C", bound=type)


def _register(kind: Kind, name: str) -> Callable[[C], C]:
    def decorate(cls: C) -> C:
        if not issubclass(cls, BASES[kind]):
            raise TypeError(f"{cls.__name__}: to register as {kind} it must be a subclass of {BASES[kind].__name__}")
        if not (dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen):  # type: ignore[attr-defined]
            raise TypeError(f"{cls.__name__}: put @dataclass(frozen=True) under the line that registers it")
        if not NAME.fullmatch(name):
            raise ValueError(
                f"'{name}' cannot name {cls.__name__}: write lower-case words with hyphens, like 'my-model'"
            )
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(cls.__abstractmethods__))  # type: ignore[attr-defined]
            raise TypeError(f"{cls.__name__} lacks {missing}, which every {kind} defines")
        if required := [field.name for field in dataclasses.fields(cls) if field.init and not _has_default(field)]:
            raise TypeError(f"{cls.__name__}: the option {required[0]} needs a default")
        if name in _tables[kind] and _origin(_tables[kind][name]) != _origin(cls):
            raise ValueError(f"the {kind} '{name}' exists already; choose another name for {cls.__name__}")
        cls.name = name  # type: ignore[attr-defined]
        _tables[kind][name] = cls
        return cls

    return decorate


def _has_default(field: dataclasses.Field) -> bool:
    return not (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)


def _origin(cls: type) -> tuple[str, str]:
    return cls.__qualname__, _source_file(cls) or cls.__module__


def _source_file(cls: type) -> str:
    """'' for a class of a notebook or an interactive session."""
    try:
        return inspect.getsourcefile(cls) or ""
    except (TypeError, OSError):
        return ""


def register_estimator(name: str) -> Callable[[C], C]:
    """Class decorator: make an `Estimator` known under a kebab-case name."""
    return _register("estimator", name)


def register_problem(name: str) -> Callable[[C], C]:
    """Class decorator: make a `Problem` known under a kebab-case name."""
    return _register("problem", name)


def register_control_variate(name: str) -> Callable[[C], C]:
    """Class decorator: make a `ControlVariate` known under a kebab-case name."""
    return _register("control variate", name)


@cache
def _load_installed() -> None:
    for entry in sorted(entry_points(group="gradmark.plugins"), key=lambda entry: entry.name):
        entry.load()


def components(kind: Kind) -> Mapping[str, type[Component]]:
    """All registered classes of a kind by name, those of installed plug-ins included."""
    _load_installed()
    return dict(sorted(_tables[kind].items()))


def load_plugin(path: str | Path) -> None:
    """Import a plug-in file, which registers its classes. ValueError: unreadable or broken."""
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"plug-in file {path} does not exist")
    _load_installed()
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
    for table in _tables.values():
        for name in [name for name, cls in table.items() if _source_file(cls) == file]:
            del table[name]


def make_estimator(spec: str) -> Estimator:
    """The estimator of a spec. ValueError: an unknown name, an unknown option or a bad value."""
    return typing.cast(Estimator, _make("estimator", spec))


def make_problem(spec: str) -> Problem:
    """The problem of a spec. ValueError: an unknown name, an unknown option or a bad value."""
    return typing.cast(Problem, _make("problem", spec))


def make_control_variate(spec: str) -> ControlVariate:
    """The control variate of a spec. ValueError: an unknown name, an unknown option or a bad value."""
    return typing.cast(ControlVariate, _make("control variate", spec))


def _make(kind: Kind, spec: str) -> Component:
    name, texts = specs.split(spec)
    known = components(kind)
    specs.check_known(kind, name, known)
    cls = known[name]
    for key in texts:
        specs.check_known(f"option of {kind} '{name}':", key, specs.options(cls))
    types = specs.option_types(cls)
    values = {key: _value(text, types[key], f"option '{key}' of {kind} '{name}'") for key, text in texts.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{kind} '{spec}': {error}") from error


def _value(text: str, wanted: Any, where: str) -> Any:
    for kind, base in BASES.items():
        if inspect.isclass(wanted) and issubclass(wanted, base):
            return _make(kind, text)
    return specs.convert(text, wanted, where)


def expand(kind: Kind, entry: str | Mapping[str, Any]) -> list[str]:
    """The canonical specs of a spec or of a TOML table; a list of values is a grid.

    ValueError: as for building from a spec.
    """
    if isinstance(entry, str):
        return [_make(kind, entry).spec]
    if not isinstance(entry.get("name"), str):
        raise ValueError(f'every {kind} needs a name: write {{name = "…"}}, not {dict(entry)}')
    axes = _axes(entry)
    found: list[str] = []
    for combination in itertools.product(*(values for _, values in axes)):
        pairs = [f"{key}=({text})" for (key, _), text in zip(axes, combination, strict=True)]
        found.append(_make(kind, f"{entry['name']}:{','.join(pairs)}" if pairs else entry["name"]).spec)
    return list(dict.fromkeys(found))


def _axes(table: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The options of a table, each with the texts of its alternatives."""
    axes = [(key, _alternatives(value)) for key, value in table.items() if key != "name"]
    for key, texts in axes:
        if not texts:
            raise ValueError(f"option {key!r} of {table.get('name')!r} is an empty list; leave it out for its default")
    return axes


def _alternatives(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _alternatives(item)]
    if isinstance(value, Mapping):
        axes = _axes(value)
        grids = itertools.product(*(values for _, values in axes))
        heads = [",".join(f"{key}=({text})" for (key, _), text in zip(axes, grid, strict=True)) for grid in grids]
        return [f"{value.get('name', '')}:{head}" if head else str(value.get("name", "")) for head in heads]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def source_digest(component: Component) -> str:
    """'' for what gradmark ships; else a hash of the files that define the component, its parts and their base classes.

    What these files import or read beside that is not looked at.
    """
    files = {_source_file(cls) for cls in _foreign_classes(component)}
    contents = [Path(file).read_bytes() for file in sorted(files) if file]
    return hashlib.sha256(b"\0".join(contents)).hexdigest() if contents else ""


def source_is_known(component: Component) -> bool:
    """Whether `source_digest` tells one version of the component from the next: not for a class of a notebook."""
    return all(_source_file(cls) for cls in _foreign_classes(component))


def _parts(component: Component) -> list[Component]:
    nested = [getattr(component, key) for key in specs.options(type(component))]
    return [component, *(part for value in nested if isinstance(value, Component) for part in _parts(value))]


def _foreign_classes(component: Component) -> set[type]:
    """The classes and bases of the component and its parts that neither gradmark nor Python ships."""
    shipped = {"estimators", "experiments", *sys.stdlib_module_names}
    classes = {cls for part in _parts(component) for cls in type(part).__mro__}
    return {cls for cls in classes if cls.__module__.partition(".")[0] not in shipped}
