"""The answer to which estimator is the best on a problem, as text and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import click

from estimators.interface import Problem
from experiments.measuring.measurement import Measurement
from experiments.ranking.entries import measured, quantity
from experiments.ranking.fits import price_of_the_fit
from experiments.ranking.order import Ranked, advice, in_order
from experiments.ranking.recipe import recipe
from experiments.ranking.remarks import lines
from experiments.ranking.standings import print_standings, standings
from experiments.terminal.tables import print_table
from experiments.terminal.words import rescaled

__all__ = ["Answer"]

NO_REFERENCE = (
    "By variance, which does not see a bias: the exact gradient is unknown, and none was measured that two mechanisms "
    "agree on."
)


@dataclass(frozen=True)
class Answer:
    """What was measured on a problem, and what was not and why."""

    problem: Problem
    num_samples: int
    found: Sequence[Measurement]
    unsupported: Mapping[str, str]
    failed: Mapping[str, str]
    same: Mapping[str, str] = field(default_factory=dict)
    """What was not measured since it gives the same estimates as another, and as which."""

    @cached_property
    def ranking(self) -> list[Ranked]:
        return in_order(measured(self.found))

    @cached_property
    def by_spec(self) -> dict[str, Measurement]:
        return {one.estimator: one for one in self.found}

    @property
    def quantity(self) -> str:
        return quantity(one.mse is not None for one in self.found)

    @property
    def advice(self) -> str:
        price = price_of_the_fit(self.ranking, self.by_spec)
        return f"{advice(self.ranking, self.quantity)} {price}".rstrip()

    @property
    def code(self) -> list[str]:
        """How to use the best one, in lines of Python."""
        first = self.ranking[0]
        fitted = self.by_spec[first.estimator].fitted
        return recipe(first.estimator, self.num_samples, fitted) if first.usable and not first.vague else []

    @property
    def remarks(self) -> list[str]:
        """What to know of the best and of those tied with it: their warnings, and whether a bias could hide."""
        found = lines(self._warnings(tied=True))
        if self.ranking[0].usable and self.by_spec[self.ranking[0].estimator].verdict == "undetermined":
            best = self.ranking[0].estimator
            named = f"-p '{self.problem.spec}' -n {self.num_samples}"
            found.append(f"{best}: a bias of 1 % is not excluded: gradmark check '{best}' {named} looks closer")
        return found

    @property
    def others(self) -> list[str]:
        """What was not measured; warnings of the others, in short; whose mean is a multiple of the gradient."""
        alike = [(one.estimator, rescaled(one.verdict, one.scale, one.mean_cosine)) for one in self.found]
        return [
            *(self._alike(one.estimator) for one in self.found if one.estimator in self.same.values()),
            *lines(self._warnings(tied=False), short=True),
            *(f"{name}: {text}" for name, text in alike if text),
        ]

    def _alike(self, spec: str) -> str:
        """Which others have the errors of this one."""
        others = ", ".join(other for other, like in self.same.items() if like == spec)
        return f"{spec}: not measured, since they give the same estimates (in other times): {others}"

    def _warnings(self, *, tied: bool) -> list[tuple[str, str]]:
        chosen = [one.estimator for one in self.ranking if one.tied == tied]
        return [(spec, warning) for spec in chosen for warning in self.by_spec[spec].warnings]

    def document(self) -> dict[str, Any]:
        """The answer for JSON."""
        return {
            "problem": self.problem.spec,
            "num_samples": self.num_samples,
            "reference": self.by_spec[self.ranking[0].estimator].reference,
            "advice": self.advice,
            "remarks": self.remarks,
            "code": self.code,
            "ranking": standings(self.ranking, self.by_spec),
            "same_estimates": self.same,
            "unsupported": self.unsupported,
            "failed": self.failed,
        }

    def tell(self, reasons: bool) -> None:
        """Print the table, the advice and the code; with `reasons` why the other estimators are not in it."""
        title = f"{self.problem.spec}, num_samples = {self.num_samples}; ≈: not told apart from the first"
        print_standings(self.ranking, self.by_spec, title)
        if self.others:
            click.echo("\n".join(["", *self.others, ""]))
        click.echo("\n".join([self.advice, *(f"  {remark}" for remark in self.remarks)]))
        if self.quantity == "variance":
            click.echo(NO_REFERENCE)
        if self.code:
            click.echo("\n".join(["", *self.code]))
        if reasons:
            print_table(["not supported", "reason"], list(self.unsupported.items()))
        elif self.unsupported:
            hint = "estimators do not support this problem; --reasons says why."
            click.echo(f"{len(self.unsupported)} {hint}", err=True)

    def tell_failures(self) -> None:
        """Print a line a reason to stderr."""
        for why in dict.fromkeys(self.failed.values()):
            first, *others = [spec for spec, other in self.failed.items() if other == why]
            who = f"{first} and {len(others)} more" if others else first
            click.echo(f"gradmark: {who} failed on {self.problem.spec}: {why}", err=True)
