"""`gradmark list`: what there is, with options and their defaults."""

import dataclasses
import inspect
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import load_plugins
from experiments.commands.options import plugin_option

if TYPE_CHECKING:
    from estimators.registry import Kind

__all__ = ["KINDS", "command", "entries"]

KINDS: dict[str, "Kind"] = {"estimators": "estimator", "problems": "problem", "control-variates": "control variate"}
LISTED = (*KINDS, "schemes", "sweeps")
YEAR = re.compile(r"(?:19|20)\d\d")


@click.command("list")
@click.argument("what", required=False, type=click.Choice(LISTED))
@click.option("--json", "as_json", is_flag=True, help="Everything, options and papers included, as JSON.")
@plugin_option
def command(what: str | None, as_json: bool, plugins: Sequence[str]) -> None:
    """What there is, with options and their defaults."""
    from experiments.terminal.tables import print_table

    load_plugins(plugins)
    found = {kind: entries(kind) for kind in ((what,) if what else LISTED)}
    if as_json:
        click.echo(json.dumps(found[what] if what else found, indent=2, ensure_ascii=False))
        return
    for kind, listed in found.items():
        of = ["of"] if kind == "control-variates" else []
        rows = [[e["name"], *(e[key] for key in of), _options_text(e["options"]), e["summary"]] for e in listed]
        print_table(["name", *of, "options (default)", "what it is"], rows, title=kind)
        click.echo()


def entries(kind: str) -> list[dict[str, Any]]:
    """What there is of a kind, one of `LISTED`: name, options, summary, and of a component its papers and docstring."""
    if kind == "schemes":
        from estimators.noise.schemes import SCHEMES

        return [{"name": name, "options": {}, "summary": cls.summary} for name, cls in SCHEMES.items()]
    if kind == "sweeps":
        from experiments.sweep import read_sweep, shipped_sweeps

        return [{"name": name, "options": {}, "summary": read_sweep(name).description} for name in shipped_sweeps()]
    from estimators.registry import components

    return [_component(name, cls) for name, cls in components(KINDS[kind]).items()]


def _component(name: str, cls: type) -> dict[str, Any]:
    text = inspect.cleandoc(cls.__doc__ or "")
    first = text.split("\n\n")[0].replace("\n", " ")
    found = {"name": name, "options": _options(cls), "summary": _plain(first), "papers": _papers(text), "text": text}
    return found | ({"of": fits} if (fits := getattr(cls, "fits", "")) else {})


def _options(cls: type) -> dict[str, dict[str, Any]]:
    from estimators.interface import specs

    types = specs.option_types(cls)
    found = {}
    for key, field in specs.options(cls).items():
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        choices = specs.choices(types[key])
        found[key] = {"default": specs.value_text(default)} | ({"choices": choices} if choices else {})
    return found


def _options_text(options: dict[str, dict[str, Any]]) -> str:
    return ", ".join(f"{key}={option['default']}" for key, option in options.items())


def _plain(sentence: str) -> str:
    """The sentence up to the first formula or full stop, without LaTeX."""
    return re.split(r"(?<=[^.])\.(?:\s|$)| \$", sentence)[0].strip(" ,:")


def _papers(text: str) -> str:
    """The last line of a docstring, where it names papers."""
    last = text.splitlines()[-1] if text else ""
    return last.strip() if YEAR.search(last) else ""
