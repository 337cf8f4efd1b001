"""`gradmark rank`: which estimator to use on a problem, best first by MSE × s."""

import json
from collections.abc import Sequence

import click

from experiments.commands.arguments import given, load_plugins, registered_by
from experiments.commands.exits import FAILED, NOTHING, WELL
from experiments.commands.options import (
    device_option,
    dtype_option,
    fresh_option,
    plugin_option,
    samples_option,
    seconds_option,
    seed_option,
)
from experiments.terminal.completion import complete_component


@click.command("rank")
@click.argument("problem", metavar="MODEL.py|PROBLEM", shell_complete=complete_component("problem", files=True))
@samples_option(10)
@seconds_option(60.0, "Budget of all estimators together.")
@device_option
@dtype_option
@seed_option
@fresh_option
@click.option("--json", "as_json", is_flag=True, help="The table and the advice as JSON.")
@click.option("--reasons", is_flag=True, help="Also why the other estimators do not support the problem.")
@plugin_option
def command(
    problem: str,
    num_samples: int,
    seconds: float,
    device: str,
    dtype: str,
    seed: int,
    fresh: bool,
    as_json: bool,
    reasons: bool,
    plugins: Sequence[str],
) -> int:
    """Every estimator that supports a problem, best first by MSE times seconds, and which one to use.

    The budget is kept, fits and the gradient that estimates are compared with included. A third is for a first look at
    all estimators, what is left for the ones that may still be the best, until these are told apart. Who cannot have 64
    gradients within its share is left out, and a line says what it would take.
    """
    import torch

    from estimators.registry import make_problem
    from experiments.gradients.prepare import find_device
    from experiments.gradients.problem_checks import check_initial_point
    from experiments.measuring.reference_files import forget
    from experiments.ranking.answer import Answer
    from experiments.ranking.budget import Budget
    from experiments.ranking.candidates import candidates
    from experiments.ranking.contest import Contest
    from experiments.ranking.entries import Entry
    from experiments.terminal.progress import narrator

    load_plugins(plugins)
    find_device(device)
    made = make_problem(_problem(problem))
    check_initial_point(made, getattr(torch, dtype))
    torch.set_num_threads(1)
    if fresh:
        forget(frozenset({made.spec}))
    able = candidates(made.to("cpu", getattr(torch, dtype)), num_samples)
    with narrator() as progress:
        entries = [Entry(spec, num_samples) for spec in able.supported]
        outcome = Contest(made, device, seed, Budget(seconds), dtype).measure(entries, progress)
    found, failed = outcome.measurements, {entry.spec: why for entry, why in outcome.failed.items()}
    answer = Answer(made, num_samples, found, able.unsupported, able.failed | failed, able.same)
    answer.tell_failures()
    if not found and not answer.failed:
        click.echo(f"gradmark: no estimator supports {made.spec} with num_samples = {num_samples}", err=True)
        return NOTHING
    if all(one.aside == "not finite" for one in answer.ranking):
        if found:
            click.echo(f"gradmark: no gradient estimate on {made.spec} is finite: choose other parameters", err=True)
        return FAILED
    if as_json:
        click.echo(json.dumps(answer.document(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        answer.tell(reasons)
    return FAILED if answer.failed else WELL


def _problem(argument: str) -> str:
    if not argument.endswith(".py"):
        return given("problem", argument)
    found = registered_by(argument, "problem")
    if len(found) > 1:
        raise ValueError(f"{argument} registers {', '.join(found)}: gradmark rank NAME --plugin {argument} ranks one")
    return found[0]
