"""`gradmark rank`: which estimator to use on a problem."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
import torch

from estimators.interface import Problem
from estimators.registry import components, load_plugin, make_estimator, make_problem
from experiments.commands.files import registered_by
from experiments.console import Narrator, interval, narrator, number, percent, print_table, seconds
from experiments.engine import reason
from experiments.measurement import Measurement
from experiments.measuring import estimate
from experiments.reference import find_reference
from experiments.statistics import Interval
from experiments.sweep import Stop
from experiments.timing import Timed, time_gradients
from experiments.validation import check_initial_point
from experiments.workload import find_device, prepare

__all__ = ["rank_estimators"]

FAILED = 1
NOTHING = 4
RTOL = 0.05
TIMING_ROUNDS = 7
TIMING_SHARE = 0.3
"""Of the budget; the rest is for the variances."""


@dataclass(frozen=True)
class Ranked:
    """A measured estimator and its place; the biased stand behind the others."""

    measurement: Measurement
    figure: Interval
    """MSE times seconds, or variance times seconds where there is no reference gradient."""
    tied: bool
    """Its interval overlaps that of the best."""

    @property
    def spec(self) -> str:
        return self.measurement.estimator

    @property
    def biased(self) -> bool:
        return "biased" in (self.measurement.verdict, self.measurement.claim)

    @property
    def usable(self) -> bool:
        return not self.biased and math.isfinite(self.figure.value)


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
    """Measure, rank, advise. Exit code 4: no estimator supports the problem."""
    for plugin in plugins:
        load_plugin(plugin)
    find_device(device)
    made = make_problem(_problem(problem))
    check_initial_point(made)
    torch.set_num_threads(1)
    supported, unsupported = _supported(made, num_samples)
    with narrator() as progress:
        measured, failed = _measured(made, supported, num_samples, seconds, device, seed, progress)
    for spec, why in failed.items():
        click.echo(f"gradmark: {spec} failed on {made.spec}: {why}", err=True)
    if not measured and failed:
        return FAILED
    if not measured:
        click.echo(f"gradmark: no estimator supports {made.spec} with num_samples = {num_samples}", err=True)
        return NOTHING
    ranking = _ranked(measured)
    if as_json:
        click.echo(json.dumps(_as_json(made, num_samples, ranking, unsupported), indent=2, ensure_ascii=False))
    else:
        _print(made, num_samples, ranking)
        click.echo(_advice(ranking))
        click.echo(f"{len(unsupported)} estimators do not support this problem; --json says why.", err=True)
    return FAILED if failed or not ranking[0].usable else 0


def _problem(argument: str) -> str:
    if not argument.endswith(".py"):
        return argument
    found = registered_by(argument, "problem")
    if len(found) > 1:
        raise ValueError(f"{argument} registers {', '.join(found)}: gradmark rank NAME --plugin {argument} ranks one")
    return found[0]


def _supported(problem: Problem, num_samples: int) -> tuple[list[str], dict[str, str]]:
    """The specs that support the problem, and why the others do not."""
    specs = [spec for name, cls in components("estimator").items() if name != "exact" for spec in cls.variants()]  # type: ignore[attr-defined]
    reasons = {spec: make_estimator(spec).unsupported(problem, num_samples) for spec in dict.fromkeys(specs)}
    return (
        [spec for spec, reason in reasons.items() if reason is None],
        {spec: reason for spec, reason in reasons.items() if reason is not None},
    )


def _measured(
    problem: Problem, specs: list[str], num_samples: int, budget: float, device: str, seed: int, progress: Narrator
) -> tuple[list[Measurement], dict[str, str]]:
    """The measurements, and why the other estimators have none."""
    share = budget * (1 - TIMING_SHARE) / max(len(specs), 1)
    stop = Stop(rtol=RTOL, max_seconds=share)
    timed: list[Timed] = []
    measurements: list[Measurement] = []
    failed: dict[str, str] = {}
    progress.start("measuring", len(specs))
    for spec in specs:
        try:
            workload = prepare(problem, make_estimator(spec), num_samples, seed=seed, device=device)
            measurement = estimate(workload, find_reference(workload), stop)
            timed.append(Timed.of(workload))
            measurements.append(measurement)
        except Exception as error:
            failed[spec] = reason(error)
        progress.advance(spec)
    progress.start("timing", len(timed) * TIMING_ROUNDS)
    timings = time_gradients(timed, TIMING_ROUNDS, progress=lambda: progress.advance("all estimators in turn"))
    return [replace(one, timing=timing) for one, timing in zip(measurements, timings, strict=True)], failed


def _ranked(measured: Sequence[Measurement]) -> list[Ranked]:
    figures = [one.work_normalized_mse or one.work_normalized_variance for one in measured]
    found = [Ranked(one, figure, tied=False) for one, figure in zip(measured, figures, strict=True) if figure]
    found.sort(key=lambda ranked: (not ranked.usable, ranked.biased, ranked.figure.value))
    best = found[0].figure
    return [replace(one, tied=one.usable and one.figure.low <= best.high) for one in found]


def _print(problem: Problem, num_samples: int, ranking: Sequence[Ranked]) -> None:
    figure = "MSE × s" if ranking[0].measurement.mse else "variance × s"
    columns = ["", "estimator", "verdict", "total variance", "bias/‖g‖", "time", f"{figure} [95 %]", "ratio"]
    best = ranking[0].figure.value
    rows = []
    for place, ranked in enumerate(ranking, start=1):
        one = ranked.measurement
        mark = "≈" if ranked.tied and place > 1 else str(place) if ranked.usable else ""
        verdict = "biased" if ranked.biased else one.verdict or "no reference"
        verdict = "not finite" if one.nonfinite else verdict
        assert one.seconds_per_gradient is not None
        ratio = number(ranked.figure.value / best) if best else ""
        time = seconds(one.seconds_per_gradient.value)
        rows.append([mark, ranked.spec, verdict, number(one.total_variance.value), _bias(one), time])
        rows[-1] += [interval(*ranked.figure), ratio]
    title = f"{problem.spec}, num_samples = {num_samples}; ≈: not told apart from the first"
    print_table(columns, rows, title=title, right=columns[3:])


def _bias(one: Measurement) -> str:
    if one.squared_bias is None or not one.gradient_norm:
        return ""
    return percent(max(one.squared_bias.value, 0.0) ** 0.5 / one.gradient_norm)


def _advice(ranking: Sequence[Ranked]) -> str:
    best = ranking[0]
    if not best.usable:
        return "Every estimator that supports this problem is biased or not finite here: none can be recommended."
    others = [ranked for ranked in ranking[1:] if ranked.usable]
    ties = [ranked.spec for ranked in others if ranked.tied]
    clear = next((ranked for ranked in others if not ranked.tied), None)
    sentence = f"Use {best.spec}"
    if ties:
        sentence += (
            f" (or {ties[0]}{f' and {len(ties) - 1} more' if len(ties) > 1 else ''}, which it is not told apart from)"
        )
    if clear is not None and best.figure.value > 0:
        sentence += f": {clear.figure.value / best.figure.value:.3g} times less error for the time than {clear.spec}"
    return f"{sentence}."


def _as_json(
    problem: Problem, num_samples: int, ranking: Sequence[Ranked], unsupported: dict[str, str]
) -> dict[str, Any]:
    entries = []
    for ranked in ranking:
        one = ranked.measurement
        entries.append(
            {
                "estimator": ranked.spec,
                "verdict": one.verdict,
                "claim": one.claim,
                "tied_with_best": ranked.tied,
                "total_variance": one.total_variance,
                "squared_bias": one.squared_bias,
                "seconds_per_gradient": one.seconds_per_gradient,
                "work_normalized_mse": one.work_normalized_mse,
                "work_normalized_variance": one.work_normalized_variance,
                "evaluations": one.evaluations,
                "warnings": one.warnings,
            }
        )
    return {
        "problem": problem.spec,
        "num_samples": num_samples,
        "advice": _advice(ranking),
        "ranking": entries,
        "unsupported": unsupported,
    }
