"""Names of components: what registers under which, and what is installed."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Literal, TypeVar

from estimators.interface import Component, Control, Estimator, Problem

__all__ = [
    "BASES",
    "Kind",
    "components",
    "load_installed",
    "register_control_variate",
    "register_estimator",
    "register_problem",
    "source_file",
    "tables",
]

Kind = Literal["estimator", "problem", "control variate"]


BASES: dict[Kind, type[Component]] = {
    "estimator": Estimator,
    "problem": Problem,
    "control variate": Control,
}


WRITTEN: dict[Kind, str] = {
    "estimator": "Estimator",
    "problem": "Problem",
    "control variate": "ControlVariate or, for pathwise, PathControl",
}
"""What a class of somebody's own derives from."""


NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")


tables: dict[Kind, dict[str, type[Component]]] = {kind: {} for kind in BASES}


C = TypeVar("C", bound=type)


def _register(kind: Kind, name: str) -> Callable[[C], C]:
    def decorate(cls: C) -> C:
        if not issubclass(cls, BASES[kind]):
            raise TypeError(f"{cls.__name__}: to register as {kind} it must be a subclass of {WRITTEN[kind]}")
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
        if hidden := [field.name for field in dataclasses.fields(cls) if _is_method(BASES[kind], field.name)]:
            raise TypeError(f"{cls.__name__}: an option {hidden[0]} hides the method {hidden[0]} of every {kind}")
        if name in tables[kind] and _origin(tables[kind][name]) != _origin(cls):
            raise ValueError(f"the {kind} '{name}' exists already; choose another name for {cls.__name__}")
        cls.name = name  # type: ignore[attr-defined]
        tables[kind][name] = cls
        return cls

    return decorate


def _is_method(base: type, name: str) -> bool:
    return inspect.isfunction(getattr(base, name, None))


def _has_default(field: dataclasses.Field) -> bool:
    return not (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)


def _origin(cls: type) -> tuple[str, str]:
    return cls.__qualname__, source_file(cls) or cls.__module__


def source_file(cls: type) -> str:
    """The file that defines a class; '' for a class of a notebook or an interactive session."""
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
    """Class decorator: make a `ControlVariate` or a `PathControl` known under a kebab-case name."""
    return _register("control variate", name)


@cache
def load_installed() -> None:
    for entry in sorted(entry_points(group="gradmark.plugins"), key=lambda entry: entry.name):
        entry.load()


def components(kind: Kind) -> Mapping[str, type[Component]]:
    """All registered classes of a kind by name, those of installed plug-ins included."""
    load_installed()
    return dict(sorted(tables[kind].items()))
