"""What a run keeps of its sweep beside the results: what it asked for, and the files of its plug-ins as they were."""

from pathlib import Path

import msgspec

from estimators.registry import plugin_files
from experiments.store import Source
from experiments.sweep import Sweep

__all__ = ["asked", "sources"]


def sources(sweep: Sweep) -> list[Source]:
    """The files of the plug-ins, which are loaded, and of the modules beside them that they have imported."""
    folders, found = _folders(sweep), dict[str, Source]()
    for own in dict.fromkeys(_files(sweep)):
        for file in plugin_files(own):
            if file.is_relative_to(own.parent):
                path = f"{folders[own.parent]}/{file.relative_to(own.parent).as_posix()}"
                found[path] = Source(path, file == own or found.get(path, (path, False))[1], file.read_bytes())
    return list(found.values())


def asked(sweep: Sweep) -> str:
    """The sweep as JSON, with its plug-ins by the names of their sources."""
    folders = _folders(sweep)
    plugins = tuple(f"{folders[file.parent]}/{file.name}" for file in _files(sweep))
    return msgspec.json.encode(msgspec.structs.replace(sweep, plugins=plugins)).decode()


def _files(sweep: Sweep) -> list[Path]:
    return [Path(plugin).expanduser().resolve() for plugin in sweep.plugins]


def _folders(sweep: Sweep) -> dict[Path, int]:
    """A number for each folder of plug-ins: what lies in one folder may import each other."""
    return {folder: number for number, folder in enumerate(dict.fromkeys(f.parent for f in _files(sweep)), start=1)}
