"""Arguments and options that several verbs have."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from experiments.terminal.completion import complete_component, complete_file, complete_run

__all__ = [
    "SEED",
    "FigureFile",
    "Numbers",
    "Seconds",
    "components_option",
    "device_option",
    "dtype_option",
    "fresh_option",
    "plugin_option",
    "run_argument",
    "samples_option",
    "seconds_option",
    "seed_option",
    "start_options",
    "where_option",
]

FIGURES = (".png", ".svg", ".pdf")
SEED = click.IntRange(0, 2**63 - 1)


class Seconds(click.FloatRange):
    """A budget: a number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = super().convert(value, param, ctx)
        return self.fail(f"{value} is no number", param, ctx) if math.isnan(found) else found


class FigureFile(click.Path):
    """A file for a figure, in a format that its name says."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).endswith(FIGURES):
            self.fail(f"must end in .png, .svg or .pdf, not {value}", param, ctx)
        return super().convert(value, param, ctx)


class Numbers(click.ParamType):
    """One whole number above 0, or several with commas between them."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        whole: Any = click.IntRange(min=1)
        return [whole.convert(one.strip(), param, ctx) for one in str(value).split(",")]


def components_option(kind: str, text: str, *, files: bool = False) -> Callable:
    """Specs of a kind, say -e and --estimator, as `estimators`; with `files` also Python files that register some."""
    complete = complete_component(kind, files=files)
    names, metavar = (f"-{kind[0]}", f"--{kind}", f"{kind}s"), "SPEC|MODEL.py" if files else "SPEC"
    return click.option(*names, multiple=True, metavar=metavar, shell_complete=complete, help=text)


def samples_option(default: int) -> Callable:
    return click.option(
        "-n", "num_samples", type=click.IntRange(min=1), default=default, show_default=True, metavar="N"
    )


def seconds_option(default: float, text: str) -> Callable:
    return click.option("--seconds", type=Seconds(), default=default, show_default=True, help=text)


def start_options(command: Callable) -> Callable:
    """--after and --state: where the problem begins; `arguments.begun` reads them."""
    after = click.option(
        "--after", type=click.IntRange(min=1), metavar="STEPS", help="Begin after so many steps of training, by Adam."
    )
    state = click.option(
        "--state", metavar="FILE.pt", shell_complete=complete_file, help="Begin at parameters that torch.save wrote."
    )
    return after(state(command))


device_option = click.option("--device", default="cpu", show_default=True)
fresh_option = click.option(
    "--fresh", is_flag=True, help="Measure the reference gradients anew, where none is known exactly."
)
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Of parameters, noise and gradients; float64 where rounding hides a bias.",
)
seed_option = click.option("--seed", type=SEED, metavar="N", default=0, show_default=True)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="A Python file that registers components.",
)
run_argument = click.argument("run", metavar="RUN", shell_complete=complete_run)
where_option = click.option(
    "--where",
    multiple=True,
    metavar="KEY=VALUE,…",
    help="Only the cells with these values of columns (estimator, problem, S, device, …) or options of components.",
)
