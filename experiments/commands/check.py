"""`gradmark check`: what an estimator claims against what it does."""

from collections.abc import Iterator, Sequence

import click
import torch

from estimators.interface import Unsupported
from estimators.registry import components, load_plugin, make_estimator, make_problem
from experiments.commands.arguments import given, registered_by
from experiments.commands.conclusions import COLUMNS, Check
from experiments.commands.exits import FAILED, NOTHING, REFUTED
from experiments.gradients.prepare import find_device, prepare
from experiments.gradients.validation import check_initial_point
from experiments.machine.errors import reason
from experiments.measuring.find_reference import References
from experiments.measuring.loop import estimate
from experiments.sweep import Stop
from experiments.terminal.progress import narrator
from experiments.terminal.tables import print_table

__all__ = ["check_claims"]

MAX_REPLICATES = 10**9
REMEDY = "give the problem an expected_cost or an exact_gradient"


def check_claims(
    estimator: str,
    *,
    problems: Sequence[str],
    num_samples: int,
    device: str,
    seed: int,
    seconds: float,
    strict: bool,
    plugins: Sequence[str],
) -> int:
    """Print the checks.

    Exit code 3: a claim is refuted, or with `strict` undetermined; 1: an estimator failed; 4: nothing is supported.
    """
    for plugin in plugins:
        load_plugin(plugin)
    estimators = _estimators(estimator)
    chosen = [given("problem", spec) for spec in problems]
    chosen = chosen or [spec for cls in components("problem").values() for spec in cls.variants()]
    find_device(device)
    for spec in chosen:
        check_initial_point(make_problem(spec))
    torch.set_num_threads(1)
    stop = Stop(detect=True, max_seconds=seconds, max_replicates=MAX_REPLICATES)
    checks: list[Check] = []
    with narrator() as progress:
        progress.start("checking", len(estimators) * len(chosen))
        for check in _checks(estimators, chosen, num_samples, device, seed, stop):
            checks.append(check)
            progress.advance(f"{check.problem} · {check.estimator}")
    _print(checks, num_samples)
    return _verdict(checks, strict)


def _estimators(argument: str) -> list[str]:
    if not argument.endswith(".py"):
        return [make_estimator(given("estimator", argument)).spec]
    names = registered_by(argument, "estimator")
    return [spec for name in names for spec in components("estimator")[name].variants()]


def _checks(
    estimators: Sequence[str], problems: Sequence[str], num_samples: int, device: str, seed: int, stop: Stop
) -> Iterator[Check]:
    references = References()
    for spec in estimators:
        for problem in problems:
            try:
                made = make_problem(problem), make_estimator(spec)
                workload = prepare(*made, num_samples, seed=seed, device=device)
                yield Check(spec, problem, estimate(workload, references.find(workload), stop))
            except Unsupported as unsupported:
                yield Check(spec, problem, None, str(unsupported))
            except Exception as error:
                yield Check(spec, problem, None, reason(error), failed=True)


def _print(checks: Sequence[Check], num_samples: int) -> None:
    rows = [check.row for check in checks if check.measurement is not None]
    if rows:
        print_table(COLUMNS, rows, title=f"num_samples = {num_samples}", right=COLUMNS[4:])
    for line in (line for check in checks for line in check.remarks):
        click.echo(line, err=True)


def _verdict(checks: Sequence[Check], strict: bool) -> int:
    conclusions = [check.conclusion for check in checks]
    refuted = [check for check in checks if check.refuted]
    for check in refuted:
        what = "is not" if check.conclusion == "REFUTED" else "is not finite"
        click.echo(f"gradmark: {check.estimator} claims to be unbiased and {what} on {check.problem}", err=True)
    if all(conclusion == "unsupported" for conclusion in conclusions):
        click.echo("gradmark: no problem that was asked for is supported", err=True)
        return NOTHING
    undetermined, unknown = conclusions.count("undetermined"), conclusions.count("no reference")
    if undetermined:
        click.echo(f"{undetermined} of {len(checks)} stay undetermined: more --seconds would decide", err=True)
    if unknown:
        click.echo(f"{unknown} of {len(checks)} have no gradient to be compared with: {REMEDY}", err=True)
    if refuted or (strict and (undetermined or unknown)):
        return REFUTED
    return FAILED if "FAILED" in conclusions else 0
