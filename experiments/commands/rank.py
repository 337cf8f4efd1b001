"""`gradmark rank`: which estimator to use on a problem."""

import json
from collections.abc import Mapping, Sequence

import click
import torch

from estimators.interface import Problem
from estimators.registry import components, load_plugin, make_estimator, make_problem
from experiments.commands.arguments import given, registered_by
from experiments.commands.exits import FAILED, NOTHING
from experiments.gradients.prepare import find_device
from experiments.gradients.validation import check_initial_point
from experiments.machine.errors import reason
from experiments.ranking.contest import Contest
from experiments.ranking.entries import measured as entries
from experiments.ranking.entries import quantity
from experiments.ranking.order import advice, in_order
from experiments.ranking.recipe import recipe
from experiments.ranking.standings import print_standings, standings
from experiments.terminal.progress import narrator
from experiments.terminal.tables import print_table

__all__ = ["rank_estimators"]

NO_REFERENCE = (
    "By variance, which does not see a bias: the exact gradient is unknown, and no estimator that claims to be "
    "unbiased could be checked against the plain score function."
)


def rank_estimators(
    problem: str,
    *,
    num_samples: int,
    seconds: float,
    device: str,
    seed: int,
    as_json: bool,
    reasons: bool,
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
    ranking = in_order(entries(found))
    if all(one.aside == "not finite" for one in ranking):
        if found:
            click.echo(f"gradmark: no gradient estimate on {made.spec} is finite: choose other parameters", err=True)
        return FAILED
    by, best = quantity(one.mse is not None for one in found), measured[ranking[0].estimator]
    sentence = advice(ranking, by)
    code = recipe(best.estimator, num_samples, best.fitted) if ranking[0].usable else []
    if as_json:
        document = {
            "problem": made.spec,
            "num_samples": num_samples,
            "reference": best.reference,
            "advice": sentence,
            "code": code,
            "ranking": standings(ranking, measured),
            "unsupported": unsupported,
            "failed": failed,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        return FAILED if failed else 0
    print_standings(ranking, measured, f"{made.spec}, num_samples = {num_samples}; ≈: not told apart from the first")
    for line in (sentence, *([NO_REFERENCE] if by == "variance" else []), *([""] if code else []), *code):
        click.echo(line)
    if reasons:
        print_table(["not supported", "reason"], list(unsupported.items()))
    elif unsupported:
        click.echo(f"{len(unsupported)} estimators do not support this problem; --reasons says why.", err=True)
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
            estimator = make_estimator(spec)
            why = estimator.unsupported(problem, num_samples)
        except Exception as error:
            failed[spec] = reason(error)
            continue
        if why is None:
            supported.append(estimator.spec)
        else:
            unsupported[estimator.spec] = why
    return supported, unsupported, failed


def _say(problem: Problem, failed: Mapping[str, str]) -> None:
    """A line a reason."""
    for why in dict.fromkeys(failed.values()):
        first, *others = [spec for spec, other in failed.items() if other == why]
        who = f"{first} and {len(others)} more" if others else first
        click.echo(f"gradmark: {who} failed on {problem.spec}: {why}", err=True)
