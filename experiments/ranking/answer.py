"""The answer to which estimator is the best on a problem, and with how many samples: as text, a frame and JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pandas import DataFrame

from estimators.interface import EXPECTED_COST, Problem
from estimators.interface.specs import canonical
from experiments.measuring.measurement import Measurement
from experiments.measuring.summary import KNOWN_TO
from experiments.ranking.advice import SPOILED, advice
from experiments.ranking.by_variable import by_variable
from experiments.ranking.entries import Standing, quantity, ranked
from experiments.ranking.fits import price_of_the_fit
from experiments.ranking.order import DISPUTED, By, Ranked
from experiments.ranking.recipe import file_of, is_registered, recipe
from experiments.ranking.remarks import lines
from experiments.ranking.standings import as_frame, as_rows, as_text
from experiments.terminal.numbers import percent
from experiments.terminal.tables import folded, table_for_terminal
from experiments.terminal.words import rescaled

__all__ = ["Answer"]

NO_REFERENCE = (
    "By variance, which does not see a bias: the exact gradient is unknown, and none was measured that two mechanisms "
    "agree on."
)
INTERRUPTED = "Interrupted: this is what was known by then."


@dataclass(frozen=True, repr=False)
class Answer:
    """What was measured on a problem, and what was not and why. Printed, it is what `gradmark rank` prints."""

    problem: Problem
    num_samples: Sequence[int]
    found: Sequence[Measurement]
    unsupported: Mapping[str, str]
    """Why the other estimators cannot be used here."""
    failed: Mapping[str, str]
    same: Mapping[str, str] = field(default_factory=dict)
    """What was not measured since it gives the same estimates as another, and as which."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What did not fit into the budget, and what it would take."""
    own: Mapping[str, str] = field(default_factory=dict)
    """How to make the estimators that no spec makes, in Python."""
    by: By = "seconds"
    interrupted: bool = False
    batch: int = 0
    """The data points of the mini-batches that gradients are on; 0: all data."""

    @cached_property
    def standings(self) -> list[Standing]:
        return ranked(self.found, self.by)

    @property
    def ranking(self) -> list[Ranked]:
        """Who is better, best first."""
        return [standing.ranked for standing in self.standings]

    @property
    def measurements(self) -> list[Measurement]:
        """In the order of the ranking."""
        return [standing.one for standing in self.standings]

    @property
    def table(self) -> DataFrame:
        """A row for each estimator and number of samples, best first."""
        return as_frame(self.standings)

    @property
    def quantity(self) -> str:
        return quantity((one.target, one.mse is not None) for one in self.found)

    @property
    def useless(self) -> str:
        """Why nothing can be shown, in a sentence; '' where something can."""
        where = f"{self.problem.spec} with num_samples = {self._samples}"
        if self.found:
            unknown = all(one.aside == "not finite" for one in self.ranking)
            return f"no gradient estimate on {self.problem.spec} is finite: choose other parameters" if unknown else ""
        if self.interrupted:
            return "interrupted before anything was measured"
        if self.failed:
            return f"every estimator that supports {where} failed"
        if self.left_out:
            return f"the budget is too small for any estimator that supports {where}"
        return f"no estimator supports {where}"

    @property
    def advice(self) -> str:
        """Which to use, in a sentence or two."""
        if self.useless:
            return f"No advice: {self.useless}."
        so_far = "So far: " if self.interrupted else ""
        if self._alone:
            more = "1 other was" if len(self.left_out) == 1 else f"{len(self.left_out):,} others were"
            return (
                f"{so_far}No advice: only {self.ranking[0].name} was measured, and {more} not: "
                "a larger budget compares them."
            )
        if self._spoiled:
            return f"{so_far}No advice: {SPOILED}"
        said = advice(self.ranking, self.quantity, self.by)
        return f"{so_far}{said} {price_of_the_fit(self.standings, self.by)}".rstrip()

    @property
    def code(self) -> str:
        """How to use the best one, in lines of Python; '' where none is recommended."""
        if self.useless or self._alone or self._spoiled or not self.ranking[0].usable or self.ranking[0].vague:
            return ""
        first, best = self.standings[0]
        own = self.own.get(first.estimator)
        return "\n".join(
            recipe(self.problem, first.estimator, best.num_samples, fitted=best.fitted, own=own, batch=self.batch)
        )

    @property
    def remarks(self) -> list[str]:
        """What to know of the best and of those tied with it: their warnings, and whether a bias could hide."""
        found = [*self._by_variable(), *self._of_the_batch(), *lines(self._warnings(tied=True))]
        if self.standings and self.ranking[0].aside == DISPUTED:
            found += [text for text in self.measurements[0].warnings if text not in found]
        if self.standings and self.ranking[0].usable and self.measurements[0].verdict == "undetermined":
            first, best = self.standings[0]
            closer = "a larger budget"
            if is_registered(self.problem):
                named = f"{_as_options(self.problem)} -n {best.num_samples}"
                closer = f"gradmark check '{first.estimator}' {named}"
            found.append(f"{first.name}: a bias of 1 % is not excluded: {closer} looks closer")
        return found

    def _by_variable(self) -> list[str]:
        """What the best does at each variable of a program, if it is made of several estimators."""
        if not (self.standings and self.ranking[0].usable):
            return []
        told = by_variable(self.ranking[0].estimator, self.problem)
        return [f"{self.ranking[0].name} is {told}"] if told else []

    def _of_the_batch(self) -> list[str]:
        """What part of the variance of the best no estimator can lower."""
        if not self.standings or (share := self.standings[0].one.batch_share) is None:
            return []
        whose = f"{self.ranking[0].name}: {percent(share.value)} of the variance"
        between = f"[{percent(share.low)}, {percent(share.high)}]"
        return [f"{whose} {between} is the choice of the mini-batch, which a larger batch lowers and no estimator does"]

    @property
    def others(self) -> list[str]:
        """What was not measured; warnings of the others, in short; whose mean is a multiple of the gradient."""
        alike = [(one.name, rescaled(of.verdict, of.scale, of.mean_cosine)) for one, of in self.standings]
        known = list(dict.fromkeys(one.estimator for one in self.ranking))
        return [
            *(self._alike(estimator) for estimator in known if estimator in self.same.values()),
            *lines((name, f"not measured: {why}") for name, why in self.left_out.items()),
            *lines((pair for pair in self._warnings(tied=False) if not pair[1].startswith(KNOWN_TO)), short=True),
            *(f"{name}: {text}" for name, text in alike if text),
        ]

    @property
    def reference(self) -> str:
        """What errors are against, in a sentence; '' where there is no reference."""
        known = [one for one in self.found if one.target == EXPECTED_COST.name and one.reference != "none"]
        if not known:
            return ""
        if known[0].reference == "exact":
            return "Errors are against the exact gradient."
        error = percent(known[0].reference_error)
        return f"Errors are against a measured gradient{f', known to {error}' if error else ''}."

    @property
    def _spoiled(self) -> bool:
        """Whether most had estimates that are not finite, which is then no fault of theirs, and none is known well."""
        well = self.ranking[0].usable and not self.ranking[0].vague
        return not well and 2 * sum(one.nonfinite > 0 for one in self.found) > len(self.found)

    @property
    def _alone(self) -> bool:
        """Whether the budget ended with one that nobody is compared with."""
        return len(self.ranking) == 1 and bool(self.left_out)

    @property
    def _samples(self) -> str:
        return ", ".join(map(str, self.num_samples))

    def _alike(self, spec: str) -> str:
        """Which others have the errors of this one."""
        others = ", ".join(other for other, like in self.same.items() if like == spec)
        return f"not measured, since they give the same estimates as {spec} (in other times): {others}"

    def _warnings(self, *, tied: bool) -> list[tuple[str, str]]:
        return [(one.name, warning) for one, of in self.standings if one.tied == tied for warning in of.warnings]

    def document(self) -> dict[str, Any]:
        """The answer for JSON."""
        best = self.measurements[0]
        return {
            "problem": self.problem.spec,
            "batch": self.batch,
            "num_samples": self.num_samples[0] if len(self.num_samples) == 1 else list(self.num_samples),
            "by": self.by,
            "interrupted": self.interrupted,
            "reference": best.reference,
            "reference_error": best.reference_error,
            "advice": self.advice,
            "remarks": self.remarks,
            "code": self.code.splitlines(),
            "ranking": as_rows(self.standings),
            "same_estimates": self.same,
            "left_out": self.left_out,
            "unsupported": self.unsupported,
            "failed": self.failed,
        }

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def text(self, *, reasons: bool = False, whole: bool = False) -> str:
        """The table, `whole` or its first rows, the advice and the code; with `reasons` why others are not in it."""
        if self.useless:
            return "\n".join(map(folded, [self.advice, *self.others]))
        data = f", mini-batches of {self.batch}" if self.batch else ""
        title = f"{self.problem.spec}{data}, num_samples = {self._samples}; ≈: not told apart from the first"
        head = [INTERRUPTED if self.interrupted else "", title, self.reference]
        parts = [as_text(self.standings, "\n".join(folded(line) for line in head if line), self.by, whole=whole)]
        parts += ["\n".join(["", *map(folded, self.others), ""])] if self.others else []
        parts += [folded(self.advice), *(folded(remark, "  ") for remark in self.remarks)]
        parts += [folded(NO_REFERENCE)] if self.quantity == "variance" else []
        parts += ["", self.code] if self.code else []
        parts += [table_for_terminal(["not supported", "reason"], list(self.unsupported.items()))] if reasons else []
        return "\n".join(parts)


def _as_options(problem: Problem) -> str:
    """A problem, and where it begins, on a command line."""
    named, after = f"-p '{canonical(problem)}'", re.fullmatch(r"after (\d+) steps", problem.begins)
    if file := file_of(problem):
        named = f"-p {file}" if canonical(problem) == problem.name else f"{named} --plugin {file}"
    if after is not None:
        return f"{named} --after {after[1]}"
    return f"{named} --state FILE" if problem.begins else named
