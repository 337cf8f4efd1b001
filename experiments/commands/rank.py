"""`gradmark rank`: which estimator to use on a problem."""

import json
from collections.abc import Mapping, Sequence

import click
import torch

from estimators.interface import Problem
from estimators.registry import components, load_plugin, make_estimator, make_problem
from experiments.commands.contest import Contest
from experiments.commands.files import given, registered_by
from experiments.commands.ordering import Ranked, advice, in_order
from experiments.commands.standings import print_standings, standings
from experiments.console import narrator
from experiments.engine import reason
from experiments.measurement import Measurement
from experiments.validation import check_initial_point
from experiments.workload import find_device

__all__ = ["rank_estimators"]

FAILED = 1
NOTHING = 4


def rank_estimators(
    problem: str,
    *,
    num_samples: int,
    seconds: float,
    device: str,
    seed: int,
    as_json: bool,
    plugins: Sequence[str],
) -> int:
    """Measure, rank, advise. Exit code 1: an estimator failed, or no estimate is finite; 4: none is supported."""
    for plugin in plugins:
        load_plugin(plugin)
    find_device(device)
    made = make_problem(_problem(problem))
    check_initial_point(made)
    torch.set_num_threads(1)
    supported, unsupported, failed = _supported(made, num_samples)
    with narrator() as progress:
        found, failed_later = Contest(made, num_samples, device, seed, seconds).measure(supported, progress)
    failed |= failed_later
    _say(made, failed)
    if not found and not failed:
        click.echo(f"gradmark: no estimator supports {made.spec} with num_samples = {num_samples}", err=True)
        return NOTHING
    measured = {one.estimator: one for one in found}
    ranking = in_order(_ranked(one) for one in found)
    if not any(one.finite for one in ranking):
        if found:
            click.echo(f"gradmark: no gradient estimate on {made.spec} is finite: choose other parameters", err=True)
        return FAILED
    if as_json:
        document = {
            "problem": made.spec,
            "num_samples": num_samples,
            "advice": advice(ranking),
            "ranking": standings(ranking, measured),
            "unsupported": unsupported,
            "failed": failed,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        title = f"{made.spec}, num_samples = {num_samples}; ≈: not told apart from the first"
        print_standings(ranking, measured, title)
        click.echo(advice(ranking))
        click.echo(f"{len(unsupported)} estimators do not support this problem; --json says why.", err=True)
    return FAILED if failed else 0


def _problem(argument: str) -> str:
    if not argument.endswith(".py"):
        return given("problem", argument)
    found = registered_by(argument, "problem")
    if len(found) > 1:
        raise ValueError(f"{argument} registers {', '.join(found)}: gradmark rank NAME --plugin {argument} ranks one")
    return found[0]


def _supported(problem: Problem, num_samples: int) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """The specs that support the problem, why others do not, and how yet others failed to say."""
    specs = [spec for name, cls in components("estimator").items() if name != "exact" for spec in cls.variants()]
    supported, unsupported, failed = [], {}, {}
    for spec in dict.fromkeys(specs):
        try:
            why = make_estimator(spec).unsupported(problem, num_samples)
        except Exception as error:
            failed[spec] = reason(error)
            continue
        if why is None:
            supported.append(spec)
        else:
            unsupported[spec] = why
    return supported, unsupported, failed


def _say(problem: Problem, failed: Mapping[str, str]) -> None:
    """A line a reason."""
    for why in dict.fromkeys(failed.values()):
        first, *others = [spec for spec, other in failed.items() if other == why]
        who = f"{first} and {len(others)} more" if others else first
        click.echo(f"gradmark: {who} failed on {problem.spec}: {why}", err=True)


def _ranked(one: Measurement) -> Ranked:
    figure = one.work_normalized_mse or one.work_normalized_variance
    assert figure is not None
    return Ranked(one.estimator, figure, biased="biased" in (one.verdict, one.claim))
