"""Modules that lie beside a plug-in file, which imports them by name as a script imports what lies beside it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from estimators.registry.faults import is_installed

__all__ = ["FromSource", "beside", "forget", "importing_from"]


@contextmanager
def importing_from(folder: Path, prefix: str) -> Iterator[None]:
    """While it lasts, what lies in a folder can be imported by its plain name, before what is installed.

    The modules stay loaded as `{prefix}_{name}`, so that two folders may have neighbours of one name, and none hides
    an installed module afterwards. Python's own modules, and what gradmark has loaded, come first. A folder that is on
    `sys.path` is left to it.
    """
    if str(folder) in sys.path:
        yield
        return
    theirs = [name for name in sys.modules if _is_theirs(name.partition(".")[0], folder)]
    hidden = {name: sys.modules.pop(name) for name in theirs}
    before = set(sys.modules)
    finder = _Finder(folder, prefix)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.plain - before:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _is_theirs(name: str, folder: Path) -> bool:
    """Whether a loaded module comes from somebody's other folder, and has the name of what lies in this one."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return bool(file and not is_installed(file) and PathFinder.find_spec(name, [str(folder)]))


def beside(prefix: str) -> list[Path]:
    """The files of the neighbours that were loaded under a prefix."""
    found = (getattr(sys.modules[name], "__file__", None) for name in _loaded(prefix))
    return sorted(Path(file) for file in found if file)


def forget(prefix: str) -> None:
    """Unload the neighbours, so that they are read again."""
    for name in _loaded(prefix):
        del sys.modules[name]


def _loaded(prefix: str) -> list[str]:
    return [name for name in sys.modules if name.startswith(f"{prefix}_")]


class _Finder(MetaPathFinder):
    """Finds the modules of a folder, and what lies in its packages."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self.plain: set[str] = set()

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top in sys.stdlib_module_names or (path is not None and top not in self.plain):
            return None
        found = PathFinder.find_spec(fullname, [str(self._folder)] if path is None else path)
        is_folder = found is not None and found.origin is None
        if found is None or (is_folder and path is None and PathFinder.find_spec(fullname)):
            return None
        self.plain.add(fullname)
        name, inside = f"{self._prefix}_{fullname}", found.submodule_search_locations
        if name in sys.modules or is_folder:
            spec = ModuleSpec(name, _Known(fullname), is_package=inside is not None)
            spec.submodule_search_locations = inside
            return spec
        if not isinstance(found.loader, SourceFileLoader):
            return found
        loader = _Source(name, found.loader.path, fullname)
        return spec_from_file_location(name, loader.path, loader=loader, submodule_search_locations=inside)


class FromSource(SourceFileLoader):
    """Loads a file from its source: one that is edited twice in a second must not be taken for the one before."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


class _Source(FromSource):
    """Loads a neighbour, which goes by its plain name as well while its plug-in is loaded."""

    def __init__(self, name: str, path: str, plain: str) -> None:
        super().__init__(name, path)
        self._plain = plain

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[self._plain] = module
        super().exec_module(module)


class _Known(Loader):
    """A folder of modules without a file of its own, or a module that is loaded under its longer name already."""

    def __init__(self, plain: str) -> None:
        self._plain = plain

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return sys.modules.get(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[self._plain] = module
