"""`gradmark list`: what there is, with options and their defaults; by its name one of them in full."""

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from experiments.commands.arguments import load_plugins
from experiments.commands.options import plugin_option

if TYPE_CHECKING:
    from estimators.registry import Kind

__all__ = ["KINDS", "command", "entries"]

KINDS: dict[str, "Kind"] = {"estimators": "estimator", "problems": "problem", "control-variates": "control variate"}
LISTED = (*KINDS, "schemes", "sweeps")
YEAR = re.compile(r"(?:19|20)\d\d")


def _kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(kind) for kind in LISTED if kind.startswith(incomplete)]


@click.command("list")
@click.argument("what", required=False, metavar="[KIND|NAME]", shell_complete=_kinds)
@click.option("--json", "as_json", is_flag=True, help="Everything, options and papers included, as JSON.")
@plugin_option
def command(what: str | None, as_json: bool, plugins: Sequence[str]) -> None:
    """What there is, with options and their defaults: all of it, or of a KIND (estimators, problems, control-variates,
    schemes, sweeps). By its NAME one of them in full, with its formula and its paper.
    """
    load_plugins(plugins)
    found = {kind: entries(kind) for kind in ((what,) if what in LISTED else LISTED)}
    name = None if what is None or what in LISTED else _known(what, found)
    chosen = {kind: [e for e in listed if name in (None, e["name"])] for kind, listed in found.items()}
    if as_json:
        click.echo(json.dumps(chosen[what] if what in LISTED else chosen, indent=2, ensure_ascii=False))
        return
    for kind, listed in chosen.items():
        if name is None:
            _print_kind(kind, listed)
        for entry in listed if name else []:
            _print_in_full(kind, entry)


def _known(what: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The name of a component, also where it is given as a spec. ValueError: nothing is called so."""
    from estimators.interface.specs import check_known

    name, names = what.partition(":")[0], {entry["name"] for listed in found.values() for entry in listed}
    check_known("name", name, {*names, *LISTED})
    return name


def _print_kind(kind: str, listed: Sequence[Mapping[str, Any]]) -> None:
    from experiments.terminal.tables import print_table

    of = ["of"] if kind == "control-variates" else []
    rows = [[e["name"], *(e[key] for key in of), _options_text(e["options"]), e["summary"]] for e in listed]
    print_table(["name", *of, "options (default)", "what it is"], rows, title=kind)
    click.echo()


def _print_in_full(kind: str, entry: Mapping[str, Any]) -> None:
    """The whole text of one component, its formulas in plain characters, and its options."""
    from experiments.terminal.formulas import plain
    from experiments.terminal.tables import print_table

    of = f" of {entry['of']}" if "of" in entry else ""
    click.echo(f"{entry['name']} ({kind.removesuffix('s').replace('-', ' ')}{of})\n")
    click.echo("\n".join(_reflowed(plain(entry["text"]), entry.get("papers", ""))))
    rows = [[key, one["default"], ", ".join(one.get("choices", []))] for key, one in entry["options"].items()]
    if rows:
        print_table(["option", "default", "or one of"], rows)
        click.echo()


def _reflowed(text: str, papers: str) -> Iterator[str]:
    """The lines of a docstring for the width of the terminal: paragraphs, what is said of each option, and formulas."""
    from experiments.terminal.tables import folded

    for paragraph in text.split("\n\n"):
        if paragraph.startswith("  "):
            yield paragraph
        else:
            for part in re.split(r"\n(?=`[\w-]+`:)", paragraph):
                body = part.removesuffix(papers)
                own = (body, papers) if body.rstrip().endswith(".") else (part,)  # else a sentence goes on there
                yield from (folded(" ".join(one.split())) for one in own if one.strip())
        yield ""


def entries(kind: str) -> list[dict[str, Any]]:
    """What there is of a kind, one of `LISTED`: name, options, summary, and of a component its papers and docstring."""
    if kind == "schemes":
        from estimators.noise.schemes import SCHEMES

        return [_described(name, cls.summary) for name, cls in SCHEMES.items()]
    if kind == "sweeps":
        from experiments.sweep import read_sweep, shipped_sweeps

        return [_described(name, read_sweep(name).description) for name in shipped_sweeps()]
    from estimators.registry import components

    return [_component(name, cls) for name, cls in components(KINDS[kind]).items()]


def _described(name: str, summary: str) -> dict[str, Any]:
    return {"name": name, "options": {}, "summary": summary, "text": summary}


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
    """The first sentence, its formulas in plain characters."""
    from experiments.terminal.formulas import plain

    return re.split(r"(?<=[^.])(?<!\bDr)(?<!\bal)\.(?:\s|$)", plain(sentence))[0].strip(" ,:")


def _papers(text: str) -> str:
    """The last line of a docstring, where it names papers."""
    last = text.splitlines()[-1] if text else ""
    return last.strip() if YEAR.search(last) else ""
