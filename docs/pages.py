"""The pages that are generated from the registry and from the results that are kept: they exist only in the site."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from estimators.registry import components
from experiments.commands.list import KINDS, entries
from experiments.statistics import Interval
from experiments.store import load
from experiments.terminal.numbers import interval, seconds
from experiments.terminal.tables import markdown_table

__all__ = ["INTRODUCTIONS", "REFERENCE", "catalogue", "reference_results", "schemes_and_sweeps"]

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
INTRODUCTIONS = {
    "estimators": (
        "Estimators",
        "Each is named by its spec: `name`, or `name:option=value,option=value`. [How gradmark tests what they "
        "claim](../statistics.md#is-it-biased) is a page of its own. Costs f are minimised, S is the number of samples "
        "of one gradient (`num_samples`), θ the parameters, q the distribution of x.",
    ),
    "control-variates": (
        "Control variates",
        "Terms of known expected gradient, mostly zero, which `score-function` or `pathwise` subtracts: "
        "`score-function:control_variate=leave-one-out`. Options of theirs go in parentheses: "
        "`pathwise:control_variate=(quadratic:curvature=full)`.",
    ),
    "problems": (
        "Problems",
        "A problem is a distribution q(x; θ), a cost f(x, θ) and the parameters where the gradient is measured.",
    ),
}


def catalogue(kind: str) -> str:
    """A page of all components of a kind."""
    title, introduction = INTRODUCTIONS[kind]
    found = entries(kind)
    summary = markdown_table(["name", "what it is"], [[f"[`{e['name']}`](#{e['name']})", e["summary"]] for e in found])
    return "\n\n".join([f"# {title}", introduction, summary, *(component(kind, entry) for entry in found)])


def component(kind: str, entry: dict[str, Any]) -> str:
    """A section: the docstring, what it refers to, and the options."""
    of = [f"A control variate of `{entry['of']}`."] if "of" in entry else []
    parts = [f"## {entry['name']}", *of, entry["text"], *shared(components(KINDS[kind])[entry["name"]])]
    if entry["options"]:
        rows = [[f"`{key}`", f"`{option['default']}`", _others(option)] for key, option in entry["options"].items()]
        parts.append(markdown_table(["option", "default", "or"], rows))
    return "\n\n".join(parts)


def _others(option: dict[str, Any]) -> str:
    return ", ".join(f"`{choice}`" for choice in option.get("choices", []) if choice != option["default"])


def shared(cls: type) -> Iterator[str]:
    """The docstrings of the classes that a component is a case of, where its own refers to them."""
    for base in cls.__mro__[1:]:
        if f"`{base.__name__}`" in (cls.__doc__ or ""):
            yield f"**{base.__name__}.** {inspect.getdoc(base)}"


def schemes_and_sweeps() -> str:
    """The sampling schemes of `stratified`, and the sweeps that are shipped."""
    schemes = markdown_table(["scheme", "what it is"], [[f"`{e['name']}`", e["summary"]] for e in entries("schemes")])
    sweeps = markdown_table(["sweep", "what it shows"], [[f"`{e['name']}`", e["summary"]] for e in entries("sweeps")])
    return "\n\n".join(
        [
            "# Sampling schemes and sweeps",
            "## Sampling schemes\n\nHow `stratified` places the S samples: `stratified:scheme=sobol`.",
            schemes,
            "## Shipped sweeps\n\n`gradmark run NAME` measures one; [Sweeps](../sweeps.md) says how to write one.",
            sweeps,
        ]
    )


def reference_results(folder: Path) -> str:
    """The runs that are kept with the code, a table each, and what they do not cover."""
    stores = sorted(folder.glob("*/results.sqlite"))
    return "\n\n".join(_reference_sections(stores)) if stores else "No run has been kept with this version yet."


def _reference_sections(stores: list[Path]) -> Iterator[str]:
    devices: set[str] = set()
    for store in stores:
        run = load(store)
        done = run.cells.query("status == 'done'")
        devices |= set(done["device"])
        yield f"### {store.parent.name}"
        yield markdown_table(["problem", "estimator", "S", "device", "total variance", "time"], [*_rows(done)])
    if not any(device.startswith("cuda") for device in devices):
        yield "None of these runs was measured on a GPU."


def _rows(cells: pd.DataFrame) -> Iterator[list[str]]:
    for cell in cells.to_dict("records"):
        variance = interval(*Interval.of(cell, "total_variance"))
        names = [f"`{cell['problem']}`", f"`{cell['estimator']}`", str(cell["num_samples"]), cell["device"]]
        yield [*names, variance, seconds(cell["seconds_per_gradient"])]
