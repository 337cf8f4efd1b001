"""`gradmark rank`: which estimator to use on a problem, and with how many samples, best first by MSE × s."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import begun, given, load_plugins, registered_by
from experiments.commands.exits import FAILED, INTERRUPTED, NOTHING, WELL
from experiments.commands.named import pyro_problem
from experiments.commands.options import (
    FigureFile,
    Numbers,
    Seconds,
    device_option,
    dtype_option,
    fresh_option,
    plugin_option,
    seed_option,
    start_options,
)
from experiments.terminal.completion import complete_component
from experiments.terminal.starting import starting

if TYPE_CHECKING:
    from estimators.interface import Problem
    from experiments.ranking.answer import Answer
    from experiments.ranking.race_answer import RaceAnswer


@click.command("rank")
@click.argument(
    "problem",
    metavar="[MODEL.py|PROBLEM]",
    required=False,
    shell_complete=complete_component("problem", files=True),
)
@click.option(
    "--pyro",
    metavar="MODULE:MODEL,GUIDE[,DATA…]",
    help="In place of a problem: a model and a guide of Pyro, and the data that both are called with.",
)
@click.option(
    "-n",
    "num_samples",
    type=Numbers(),
    default="10",
    show_default=True,
    metavar="N,N…",
    help="Samples of a gradient; with several, say 4,16,64, each estimator takes part with each.",
)
@click.option("--seconds", type=Seconds(), help="Budget of all estimators together: 60, unless --evaluations is given.")
@click.option("--evaluations", type=click.IntRange(min=1), metavar="N", help="The same in evaluations of the cost.")
@click.option(
    "--by",
    type=click.Choice(["seconds", "evaluations", "training"]),
    default="seconds",
    show_default=True,
    help="What an error is multiplied by (evaluations, where the cost takes longer than the estimator around it); "
    "training: the objective that the best few reach, biased ones too, when they train the problem itself.",
)
@click.option("--figure", type=FigureFile(), metavar="FILE", help="Curves of --by training: .png, .svg or .pdf.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Gradients on mini-batches of so many data points, as in training; default: all data.",
)
@start_options
@device_option
@dtype_option
@seed_option
@fresh_option
@click.option("--json", "as_json", is_flag=True, help="The table and the advice as JSON.")
@click.option("--all", "whole", is_flag=True, help="All rows of the table.")
@click.option("--reasons", is_flag=True, help="Also why the other estimators do not support the problem.")
@plugin_option
def command(
    problem: str | None,
    pyro: str | None,
    num_samples: Sequence[int],
    seconds: float | None,
    evaluations: int | None,
    by: str,
    figure: Path | None,
    batch: int | None,
    after: int | None,
    state: str | None,
    device: str,
    dtype: str,
    seed: int,
    fresh: bool,
    as_json: bool,
    whole: bool,
    reasons: bool,
    plugins: Sequence[str],
) -> int:
    """Every estimator that supports a problem, best first by MSE times seconds, and which one to use.

    The budget is kept, fits and the gradient that estimates are compared with included. A third is for a first look at
    all estimators, what is left for the ones that may still be the best, until these are told apart. Who cannot have 64
    gradients within its share is left out, and a line says what it would take.

    --by training lets the best three unbiased, the plain and the best two biased estimators train the problem for the
    same seconds, which takes two thirds of the budget, and says which reaches the lowest objective.

    Ctrl-C prints what is known by then, with exit code 130.
    """
    _check_race(by, evaluations, figure, batch)
    with starting():
        from experiments.ranking.race import race  # noqa: F401 (with all that takes long to import)

        load_plugins(plugins)
        made = _problem(problem, pyro)
    made = begun(made, after, state)
    place = {"device": device, "dtype": dtype, "seed": seed, "fresh": fresh} | ({"batch": batch} if batch else {})
    try:
        answer, told = _asked(made, num_samples, seconds, evaluations, by, place)
    except KeyboardInterrupt:
        click.echo("gradmark: interrupted before anything was measured", err=True)
        return INTERRUPTED
    _tell_failures(answer.failed, made.spec)
    if answer.useless:
        if not answer.failed or answer.found:
            click.echo(
                "\n".join([f"gradmark: {answer.useless}", *(answer.others if answer.left_out else [])]), err=True
            )
    elif as_json:
        click.echo(json.dumps(told.document(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(told.text(reasons=reasons, whole=whole))
        if answer.unsupported and not reasons:
            hint = "estimators do not support this problem; --reasons says why."
            click.echo(f"{len(answer.unsupported)} {hint}", err=True)
    if figure is not None:
        _draw(told, figure)
    if told.interrupted:
        return INTERRUPTED
    if answer.useless and not answer.found and not answer.failed:
        return NOTHING
    return FAILED if answer.failed or answer.useless else WELL


def _check_race(by: str, evaluations: int | None, figure: Path | None, batch: int | None) -> None:
    """ValueError: an option that does not go with a race, or that goes with nothing else."""
    if by == "training" and evaluations is not None:
        raise ValueError("--by training takes --seconds: a race has no budget of --evaluations")
    if by == "training" and batch is not None:
        raise ValueError("--batch is for errors: --by training has mini-batches of 64 where there are more data")
    if figure is not None and by != "training":
        raise ValueError("--figure draws the curves of --by training")


def _asked(
    problem: "Problem",
    num_samples: Sequence[int],
    seconds: float | None,
    evaluations: int | None,
    by: str,
    place: dict[str, Any],
) -> "tuple[Answer, Answer | RaceAnswer]":
    """The ranking, and what is to be told: itself, or the race that it was for."""
    from experiments.ranking.race import race
    from experiments.ranking.rank import SECONDS, rank

    if by == "training":
        raced = race(problem, num_samples, seconds=seconds or SECONDS, **place)
        return raced.ranking, raced
    answer = rank(problem, num_samples, seconds=seconds, evaluations=evaluations, by=by, **place)  # pyright: ignore
    return answer, answer


def _draw(answer: "Answer | RaceAnswer", file: Path) -> None:
    """Write the curves of a race, if there was one."""
    from experiments.plots.drawing.files import save
    from experiments.plots.drawing.training_curves import training_page
    from experiments.ranking.race_answer import RaceAnswer

    if isinstance(answer, RaceAnswer) and answer.race.raced:
        save(training_page(*answer.frames(), "seconds", "seconds of training one model", None), file)
        click.echo(f"wrote {file}", err=True)


def _tell_failures(failed: Mapping[str, str], problem: str) -> None:
    """A line a reason on stderr."""
    for why in dict.fromkeys(failed.values()):
        first, *others = [name for name, other in failed.items() if other == why]
        who = f"{first} and {len(others)} more" if others else first
        click.echo(f"gradmark: {who} failed on {problem}: {why}", err=True)


def _problem(argument: str | None, pyro: str | None) -> "Problem":
    """ValueError: there is none, or there are two."""
    from estimators.registry import make_problem

    if (argument is None) == (pyro is None):
        raise ValueError("give one problem: a file, a name, or --pyro with a model and a guide")
    return pyro_problem(pyro) if argument is None and pyro is not None else make_problem(_spec(str(argument)))


def _spec(argument: str) -> str:
    if not argument.endswith(".py"):
        return given("problem", argument)
    found = registered_by(argument, "problem")
    if len(found) > 1:
        raise ValueError(f"{argument} registers {', '.join(found)}: gradmark rank NAME --plugin {argument} ranks one")
    return found[0]
