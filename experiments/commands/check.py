"""`gradmark check`: what an estimator claims against what it does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
import torch

from estimators.interface import Unsupported
from estimators.registry import components, load_plugin, make_estimator, make_problem
from experiments.commands.files import registered_by
from experiments.console import narrator, percent, print_table
from experiments.engine import reason
from experiments.measurement import Measurement
from experiments.measuring import estimate
from experiments.reference import find_reference
from experiments.sweep import Stop
from experiments.validation import check_initial_point
from experiments.workload import find_device, prepare

__all__ = ["check_claims"]

NOTHING = 4
REFUTED = 3
FAILED = 1
MAX_REPLICATES = 10**9


@dataclass(frozen=True)
class Check:
    """One estimator on one problem: a measurement, or why there is none."""

    estimator: str
    problem: str
    measurement: Measurement | None
    reason: str = ""
    failed: bool = False

    @property
    def conclusion(self) -> str:
        found = self.measurement
        if found is None:
            return "FAILED" if self.failed else "unsupported"
        if found.nonfinite:
            return "NOT FINITE"
        if found.verdict is None:
            return "no reference"
        if found.claim == "biased":
            return "biased, as claimed" if found.verdict == "biased" else "bias not seen"
        return {"biased": "REFUTED", "unbiased": "passed"}.get(found.verdict, "undetermined")


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
    """Print the checks. Exit code 3: a claim is refuted, or with `strict` undetermined; 4: nothing is supported."""
    for plugin in plugins:
        load_plugin(plugin)
    estimators = _estimators(estimator)
    chosen = list(problems) or [spec for cls in components("problem").values() for spec in cls.variants()]  # type: ignore[attr-defined]
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
        return [make_estimator(argument).spec]
    return [spec for name in registered_by(argument, "estimator") for spec in _variants(name)]


def _variants(name: str) -> list[str]:
    return components("estimator")[name].variants()  # type: ignore[attr-defined]


def _checks(
    estimators: Sequence[str], problems: Sequence[str], num_samples: int, device: str, seed: int, stop: Stop
) -> Iterator[Check]:
    for spec in estimators:
        for problem in problems:
            try:
                made = make_problem(problem), make_estimator(spec)
                workload = prepare(*made, num_samples, seed=seed, device=device)
                yield Check(spec, problem, estimate(workload, find_reference(workload), stop))
            except Unsupported as unsupported:
                yield Check(spec, problem, None, str(unsupported))
            except Exception as error:
                yield Check(spec, problem, None, reason(error), failed=True)


def _print(checks: Sequence[Check], num_samples: int) -> None:
    columns = ["problem", "estimator", "claim", "conclusion", "bias/‖g‖", "would have been seen", "replicates"]
    rows = [_row(check, check.measurement) for check in checks if check.measurement is not None]
    print_table(columns, rows, title=f"num_samples = {num_samples}", right=columns[4:])
    for check in checks:
        if check.measurement is None:
            what = "failed" if check.failed else "is not supported"
            click.echo(f"{check.problem}: {check.estimator} {what}: {check.reason}", err=True)
        elif check.measurement.nonfinite:
            click.echo(f"{check.problem}: {check.estimator}: {check.measurement.warnings[-1]}", err=True)


def _row(check: Check, found: Measurement) -> list[str]:
    bias = ""
    if found.squared_bias is not None and found.gradient_norm:
        relative = [max(value, 0.0) ** 0.5 / found.gradient_norm for value in found.squared_bias]
        bias = f"{percent(relative[0])} [{percent(relative[1])}, {percent(relative[2])}]"
    detectable = percent(found.detectable_bias)
    return [check.problem, check.estimator, found.claim, check.conclusion, bias, detectable, f"{found.replicates:,}"]


def _verdict(checks: Sequence[Check], strict: bool) -> int:
    conclusions = [check.conclusion for check in checks]
    for check in checks:
        if check.conclusion == "REFUTED":
            click.echo(f"gradmark: {check.estimator} claims to be unbiased and is not on {check.problem}", err=True)
    if all(conclusion == "unsupported" for conclusion in conclusions):
        click.echo("gradmark: no problem that was asked for is supported", err=True)
        return NOTHING
    undetermined = conclusions.count("undetermined")
    if undetermined:
        click.echo(f"{undetermined} of {len(checks)} stay undetermined: more --seconds would decide", err=True)
    unknown = conclusions.count("no reference")
    if unknown:
        click.echo(f"{unknown} of {len(checks)} have no gradient to be compared with", err=True)
    if "REFUTED" in conclusions or "NOT FINITE" in conclusions or (strict and (undetermined or unknown)):
        return REFUTED
    return FAILED if "FAILED" in conclusions else 0
