"""`gradmark new`: a component to fill in, with its test."""

import importlib.util
import keyword
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from estimators.registry import Kind

TEMPLATES = Path(__file__).with_name("templates")
NEXT = {
    "estimator": "gradmark check {file}",
    "problem": "gradmark rank {file}",
    "program": "gradmark rank {file}",
    "control-variate": "gradmark check score-function:control_variate={name} --plugin {file}",
}
PROBLEMS = {
    "autoencoder": "networks, data, and a latent variable for each data point",
    "policy": "a network that acts in an environment, with costs-to-go",
    "simulator": "a cost that NumPy computes, or anything else that is not torch",
    "program": "one sample of any other model, as `gradmark new program`",
}
"""What --kind makes of a problem; each has a template of its name."""


@click.command("new")
@click.argument("component", type=click.Choice(list(NEXT)))
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(PROBLEMS)),
    help="Of a problem, what to start from. "
    + "; ".join(f"{kind}: {what}" for kind, what in PROBLEMS.items())
    + ". Without it: a distribution and a cost, for all samples at once.",
)
def command(component: str, name: str, kind: str | None) -> None:
    """Write a file to fill in, and its test, for a component called NAME, e.g. my-idea: my_idea.py.

    It works as it is; nothing that exists is overwritten.
    """
    if kind is not None and component != "problem":
        raise ValueError(f"--kind is for problems: gradmark new problem {name} --kind {kind}")
    kind = kind or component
    file = Path(f"{_checked(kind, name).replace('-', '_')}.py")
    test = Path(f"test_{file}")
    for path in (file, test):
        if path.exists():
            raise ValueError(f"{path} exists already; choose another name, or move it away")
    if importlib.util.find_spec(file.stem):
        raise ValueError(f"{file} would hide the Python module {file.stem}; choose another name")
    stem = kind.replace("-", "_")
    _write({path: _filled(f"{prefix}{stem}.py", kind, name) for prefix, path in (("", file), ("test_", test))})
    click.echo(f"{file}\n{test}")
    click.echo(f"next: {NEXT[component].format(file=file, name=name)}, pytest {test}", err=True)


def _checked(kind: str, name: str) -> str:
    """The name, if a component and a module can be called so."""
    from estimators.registry import components
    from estimators.registry.registration import NAME

    if not NAME.fullmatch(name) or name[0].isdigit() or keyword.iskeyword(name) or name.startswith("test-"):
        raise ValueError(f"'{name}' cannot be the name; write lower-case words with hyphens, like 'my-{kind}'")
    registered: Kind = "problem" if kind in PROBLEMS else kind.replace("-", " ")  # type: ignore[assignment]
    if name in components(registered):
        raise ValueError(f"the {registered} '{name}' exists already; choose another name")
    return name


def _filled(template: str, kind: str, name: str) -> str:
    """The template, Python with the names `my-KIND`, `my_kind` and `MyKind`, with those of the component instead."""
    text = (TEMPLATES / template).read_text("utf-8")
    for spelled in (_kebab, _snake, _camel):
        text = text.replace(spelled(f"my-{kind}"), spelled(name))
    return text


def _kebab(name: str) -> str:
    return name


def _snake(name: str) -> str:
    return name.replace("-", "_")


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _write(texts: dict[Path, str]) -> None:
    """Write all files or none."""
    written = []
    try:
        for file, text in texts.items():
            with file.open("x", encoding="utf-8") as stream:
                written.append(file)
                stream.write(text)
    except BaseException:
        for file in written:
            file.unlink()
        raise
