"""`gradmark check`: what an estimator claims against what it does."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import begun, given, load_plugins, registered_by
from experiments.commands.exits import FAILED, NOTHING, REFUTED, WELL
from experiments.commands.options import (
    components_option,
    device_option,
    dtype_option,
    fresh_option,
    plugin_option,
    samples_option,
    seconds_option,
    seed_option,
    start_options,
)
from experiments.terminal.completion import complete_component
from experiments.terminal.numbers import percent
from experiments.terminal.starting import starting
from experiments.terminal.telling import Tell, about

if TYPE_CHECKING:
    from estimators.interface import Problem
    from estimators.registry import Kind
    from experiments.measuring.measurement import Measurement
    from experiments.measuring.stop import Stop

MAX_REPLICATES = 10**9
REFERENCE = 3
"""How many times the seconds of an estimator a reference may take, where it has to be measured: it judges many."""
REMEDY = "give the problem an expected_cost or an exact_gradient"
COLUMNS = ["problem", "estimator", "claim", "conclusion", "bias/‖g‖", "would have been seen", "replicates"]


@click.command("check")
@click.argument("estimator", metavar="ESTIMATOR|FILE.py", shell_complete=complete_component("estimator", files=True))
@components_option("problem", "A problem, or those in a file, to check on; default: all that are shipped.", files=True)
@start_options
@samples_option(16)
@device_option
@dtype_option
@seed_option
@fresh_option
@seconds_option(
    20.0,
    f"Budget of an estimator on a problem; a reference that has to be measured takes at most {REFERENCE} times that.",
)
@click.option("--strict", is_flag=True, help="Fail where an unbiased claim stays undetermined, too.")
@plugin_option
def command(
    estimator: str,
    problems: Sequence[str],
    after: int | None,
    state: str | None,
    num_samples: int,
    device: str,
    dtype: str,
    seed: int,
    fresh: bool,
    seconds: float,
    strict: bool,
    plugins: Sequence[str],
) -> int:
    """Claim against evidence: is the ESTIMATOR, or is each that FILE.py registers, as unbiased as it says?

    Exit code 3 where a claim is refuted.
    """
    with starting():
        import torch

        from estimators.registry import components, make_estimator, make_problem
        from experiments.gradients.prepare import find_device
        from experiments.gradients.problem_checks import check_initial_point
        from experiments.measuring.reference_files import forget
        from experiments.measuring.stop import Stop
        from experiments.terminal.progress import narrator

        load_plugins(plugins)
    estimators = [make_estimator(spec).spec for spec in _specs("estimator", estimator)]
    chosen = [spec for argument in problems for spec in _specs("problem", argument)]
    chosen = chosen or [spec for cls in components("problem").values() for spec in cls.variants()]
    find_device(device)
    torch.set_num_threads(1)
    made = [begun(make_problem(spec), after, state) for spec in chosen]
    for problem in made:
        check_initial_point(problem, getattr(torch, dtype))
    if fresh:
        forget(frozenset(problem.spec for problem in made))
    stop = Stop(detect=True, max_seconds=seconds, max_replicates=MAX_REPLICATES)
    checks: list[Check] = []
    with narrator() as progress:
        progress.start("checking", len(estimators) * len(made))
        place = {"seed": seed, "device": device, "dtype": dtype}
        for check in _checks(estimators, made, num_samples, stop, progress.doing, **place):
            checks.append(check)
            progress.advance(f"{check.problem} · {check.estimator}")
    _print(checks, num_samples)
    return _verdict(checks, strict)


def _specs(kind: "Kind", argument: str) -> list[str]:
    """The spec as it is, or the variants of all that a file registers."""
    from estimators.registry import components

    if not argument.endswith(".py"):
        return [given(kind, argument)]
    return [spec for name in registered_by(argument, kind) for spec in components(kind)[name].variants()]


@dataclass(frozen=True)
class Check:
    """A measurement of an estimator on a problem, or why there is none."""

    estimator: str
    problem: str
    measurement: "Measurement | None"
    reason: str = ""
    failed: bool = False

    @property
    def conclusion(self) -> str:
        """What the measurement says of the claim."""
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

    @property
    def refuted(self) -> bool:
        """Whether a claim to be unbiased does not hold."""
        claimed = self.measurement is not None and self.measurement.claim == "unbiased"
        return claimed and self.conclusion in ("REFUTED", "NOT FINITE")

    @property
    def would_decide(self) -> str:
        """What would, where the verdict is undetermined."""
        found = self.measurement
        assert found is not None
        if "bias_within_rounding" in found.diagnostics:
            return f"rounding in {found.dtype} may explain what is missed: --dtype float64 would tell"
        if "reference_error" in found.diagnostics:
            return f"the reference is a measured one, which is not known well enough: raise --seconds, or {REMEDY}"
        if found.stop_reason == "max_seconds":
            return "more --seconds would decide"
        return "a bias, if there is one, is about 1 % of the gradient: a larger -n tells more, --seconds do not"

    @property
    def remarks(self) -> list[str]:
        """Lines on what the table does not say."""
        from experiments.terminal.words import rescaled  # imports scipy, which --help does without

        if (found := self.measurement) is not None:
            said = [*found.warnings, rescaled(found.verdict, found.scale, found.mean_cosine)]
            return [f"{self.estimator} on {self.problem}: {text}" for text in said if text]
        if self.failed:
            return [f"gradmark: {self.estimator} failed on {self.problem}: {self.reason}"]
        return [f"{self.problem}: {self.estimator} is not supported: {self.reason}"]

    @property
    def row(self) -> list[str]:
        """The cells of `COLUMNS`."""
        from experiments.statistics import relative_bias  # imports scipy, which --help does without

        found, bias = self.measurement, ""
        assert found is not None
        if (relative := relative_bias(found.squared_bias, found.gradient_norm)) is not None:
            ends = f"[{percent(relative.low)}, {percent(relative.high)}]"
            bias = f"{percent(relative.value)} {ends}" if relative.low > 0 else f"< {percent(relative.high)}"
        figures = [bias, percent(found.detectable_bias), f"{found.replicates:,}"]
        return [self.problem, self.estimator, found.claim, self.conclusion, *figures]


def _checks(
    estimators: Sequence[str], problems: Sequence["Problem"], num_samples: int, stop: "Stop", tell: Tell, **place: Any
) -> Iterator[Check]:
    from estimators.interface import Unsupported
    from estimators.registry import make_estimator
    from experiments.gradients.prepare import prepare
    from experiments.machine.errors import reason
    from experiments.measuring.find_reference import References
    from experiments.measuring.loop import estimate

    assert stop.max_seconds is not None
    references = References(REFERENCE * stop.max_seconds)
    for spec in estimators:
        for problem in problems:
            said = about(f"{problem.spec} · {spec}", tell)
            said("preparing", math.inf)
            try:
                workload = prepare(problem, make_estimator(spec), num_samples, **place)
                yield Check(spec, problem.spec, estimate(workload, references.find(workload, said), stop, said))
            except Unsupported as unsupported:
                yield Check(spec, problem.spec, None, str(unsupported))
            except Exception as error:
                yield Check(spec, problem.spec, None, reason(error), failed=True)


def _print(checks: Sequence[Check], num_samples: int) -> None:
    from experiments.terminal.tables import hanging, print_table, terminal_width

    rows = [check.row for check in checks if check.measurement is not None]
    if rows:
        print_table(COLUMNS, rows, title=f"num_samples = {num_samples}", right=COLUMNS[4:])
    for line in (line for check in checks for line in check.remarks):
        click.echo(hanging("", line, "  ", terminal_width()), err=True)


def _verdict(checks: Sequence[Check], strict: bool) -> int:
    """The exit code; what it stands for is printed to stderr."""
    conclusions = [check.conclusion for check in checks]
    refuted = [check for check in checks if check.refuted]
    for check in refuted:
        what = "is not" if check.conclusion == "REFUTED" else "is not finite"
        click.echo(f"gradmark: {check.estimator} claims to be unbiased and {what} on {check.problem}", err=True)
    if all(conclusion == "unsupported" for conclusion in conclusions):
        click.echo("gradmark: no problem that was asked for is supported", err=True)
        return NOTHING
    unknown, undetermined = conclusions.count("no reference"), conclusions.count("undetermined")
    remedies = Counter(check.would_decide for check in checks if check.conclusion == "undetermined")
    for remedy, count in remedies.items():
        click.echo(f"{count} of {len(checks)} stay undetermined: {remedy}", err=True)
    if unknown:
        click.echo(f"{unknown} of {len(checks)} have no gradient to be compared with: {REMEDY}", err=True)
    if refuted or (strict and (undetermined or unknown)):
        return REFUTED
    return FAILED if "FAILED" in conclusions else WELL
