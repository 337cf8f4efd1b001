"""`gradmark rank`: which estimator to use on a problem, and with how many samples, best first by MSE × s."""

import json
from collections.abc import Mapping, Sequence

import click

from experiments.commands.arguments import given, load_plugins, registered_by
from experiments.commands.exits import FAILED, INTERRUPTED, NOTHING, WELL
from experiments.commands.options import (
    Numbers,
    Seconds,
    device_option,
    dtype_option,
    fresh_option,
    plugin_option,
    seed_option,
)
from experiments.terminal.completion import complete_component


@click.command("rank")
@click.argument("problem", metavar="MODEL.py|PROBLEM", shell_complete=complete_component("problem", files=True))
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
    type=click.Choice(["seconds", "evaluations"]),
    default="seconds",
    show_default=True,
    help="What an error is multiplied by; evaluations, where the cost takes longer than the estimator around it.",
)
@device_option
@dtype_option
@seed_option
@fresh_option
@click.option("--json", "as_json", is_flag=True, help="The table and the advice as JSON.")
@click.option("--reasons", is_flag=True, help="Also why the other estimators do not support the problem.")
@plugin_option
def command(
    problem: str,
    num_samples: Sequence[int],
    seconds: float | None,
    evaluations: int | None,
    by: str,
    device: str,
    dtype: str,
    seed: int,
    fresh: bool,
    as_json: bool,
    reasons: bool,
    plugins: Sequence[str],
) -> int:
    """Every estimator that supports a problem, best first by MSE times seconds, and which one to use.

    A part of the budget is for a first look at all estimators, the rest for the ones that may still be the best, until
    these are told apart. Learning is in it, and so is the gradient that errors are against, where it has to be
    measured. What is too dear for its share is left out, and told with what it would take.

    Ctrl-C prints what is known by then, with exit code 130.
    """
    from estimators.registry import make_problem
    from experiments.ranking.rank import rank

    load_plugins(plugins)
    made = make_problem(_problem(problem))
    try:
        answer = rank(
            made,
            num_samples,
            seconds=seconds,
            evaluations=evaluations,
            by=by,  # pyright: ignore[reportArgumentType]
            device=device,
            dtype=dtype,
            seed=seed,
            fresh=fresh,
        )
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
        click.echo(json.dumps(answer.document(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(answer.text(reasons=reasons))
        if answer.unsupported and not reasons:
            hint = "estimators do not support this problem; --reasons says why."
            click.echo(f"{len(answer.unsupported)} {hint}", err=True)
    if answer.interrupted:
        return INTERRUPTED
    if answer.useless and not answer.found and not answer.failed:
        return NOTHING
    return FAILED if answer.failed or answer.useless else WELL


def _tell_failures(failed: Mapping[str, str], problem: str) -> None:
    """A line a reason on stderr."""
    for why in dict.fromkeys(failed.values()):
        first, *others = [name for name, other in failed.items() if other == why]
        who = f"{first} and {len(others)} more" if others else first
        click.echo(f"gradmark: {who} failed on {problem}: {why}", err=True)


def _problem(argument: str) -> str:
    if not argument.endswith(".py"):
        return given("problem", argument)
    found = registered_by(argument, "problem")
    if len(found) > 1:
        raise ValueError(f"{argument} registers {', '.join(found)}: gradmark rank NAME --plugin {argument} ranks one")
    return found[0]
