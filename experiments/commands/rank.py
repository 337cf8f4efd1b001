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
from experiments.measurement import Measurement
from experiments.measuring import estimate
from experiments.reference import find_reference
from experiments.statistics import Interval
from experiments.sweep import Stop
from experiments.timing import time_gradients
from experiments.workload import Workload, prepare

__all__ = ["rank_estimators"]

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
    made = make_problem(_problem(problem))
    torch.set_num_threads(1)
    supported, unsupported = _supported(made, num_samples)
    with narrator() as progress:
        measured = _measured(made, supported, num_samples, seconds, device, seed, progress)
    if not measured:
        click.echo(f"gradmark: no estimator supports {made.spec} with num_samples = {num_samples}", err=True)
        return NOTHING
    ranking = _ranked(measured)
    if as_json:
        click.echo(json.dumps(_as_json(made, num_samples, ranking, unsupported), indent=2, ensure_ascii=False))
        return 0
    _print(made, num_samples, ranking)
    click.echo(_advice(ranking))
    click.echo(f"{len(unsupported)} estimators do not support this problem; --json says why.", err=True)
    return 0


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
) -> list[Measurement]:
    share = budget * (1 - TIMING_SHARE) / max(len(specs), 1)
    stop = Stop(rtol=RTOL, max_seconds=share)
    workloads: list[Workload] = []
    measurements: list[Measurement] = []
    progress.start("measuring", len(specs))
    for spec in specs:
        workload = prepare(problem, make_estimator(spec), num_samples, seed=seed, device=device)
        measurements.append(estimate(workload, find_reference(workload), stop))
        workloads.append(workload)
        progress.advance(spec)
    progress.start("timing", len(specs) * TIMING_ROUNDS)
    timings = time_gradients(workloads, TIMING_ROUNDS, progress=lambda: progress.advance("all estimators in turn"))
    return [replace(one, timing=timing) for one, timing in zip(measurements, timings, strict=True)]


def _ranked(measured: Sequence[Measurement]) -> list[Ranked]:
    figures = [one.work_normalized_mse or one.work_normalized_variance for one in measured]
    found = [Ranked(one, figure, tied=False) for one, figure in zip(measured, figures, strict=True) if figure]
    found.sort(key=lambda ranked: (ranked.biased, math.isnan(ranked.figure.value), ranked.figure.value))
    best = found[0].figure
    return [replace(one, tied=not one.biased and one.figure.low <= best.high) for one in found]


def _print(problem: Problem, num_samples: int, ranking: Sequence[Ranked]) -> None:
    figure = "MSE × s" if ranking[0].measurement.mse else "variance × s"
    columns = ["", "estimator", "verdict", "total variance", "bias/‖g‖", "time", f"{figure} [95 %]", "ratio"]
    best = ranking[0].figure.value
    rows = []
    for place, ranked in enumerate(ranking, start=1):
        one = ranked.measurement
        mark = "≈" if ranked.tied and place > 1 else "" if ranked.biased else str(place)
        verdict = "biased" if ranked.biased else one.verdict or "no reference"
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
    if best.biased:
        return "Every estimator that supports this problem is biased here: none can be recommended."
    others = [ranked for ranked in ranking[1:] if not ranked.biased]
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
