"""What the shell completes: specs, sweeps and runs. torch is imported only to write the list of components anew."""

import glob
from collections.abc import Callable
from pathlib import Path

from click import Command, Context, Parameter
from click.shell_completion import CompletionItem

from experiments.terminal.completion.remembered import SOURCE, continuations, known
from experiments.terminal.completion.shells import SHELLS

__all__ = ["SHELLS", "complete_component", "complete_file", "complete_run", "complete_sweep", "script"]

Completer = Callable[[Context, Parameter, str], list[CompletionItem]]


def script(shell: str, cli: Command) -> str:
    """What a shell evaluates to complete `gradmark`."""
    return SHELLS[shell](cli, {}, "gradmark", "_GRADMARK_COMPLETE").source()


def complete_component(kind: str, *, files: bool = False) -> Completer:
    """Completes specs of a kind, and with `files` also names of Python files."""

    def complete(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
        return _items(continuations(known(), kind, incomplete), incomplete, "*.py" if files else "")

    return complete


def complete_sweep(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes shipped sweeps, and TOML files."""
    shipped = [file.stem for file in (SOURCE / "experiments" / "sweep" / "shipped").glob("*.toml")]
    return _items([name for name in sorted(shipped) if name.startswith(incomplete)], incomplete, "*.toml")


def complete_run(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the runs under results/, and bundles."""
    names = sorted(store.parent.name for store in Path("results").glob("*/results.sqlite"))
    return _items([name for name in names if name.startswith(incomplete)], incomplete, "*.zip")


def complete_file(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _items(names: list[str], incomplete: str, pattern: str) -> list[CompletionItem]:
    """Names and files in reach; where there are none, whatever files the shell finds."""
    files = sorted(glob.glob(glob.escape(incomplete) + pattern)) if pattern else []
    return [CompletionItem(name) for name in [*names, *files]] or [CompletionItem(incomplete, type="file")]
