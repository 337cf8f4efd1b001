"""The answer of a race: a table, advice in words, the lines of Python, and its curves as frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pandas import DataFrame

from experiments.ranking.answer import Answer
from experiments.ranking.raced import Race, Raced
from experiments.ranking.racing import RATES
from experiments.ranking.recipe import recipe
from experiments.statistics import Interval, sample_mean
from experiments.terminal.numbers import number, plus_minus, seconds
from experiments.terminal.tables import folded, table_for_terminal

__all__ = ["RaceAnswer", "as_entry"]

COLUMNS = ["place", "estimator", "samples", "", "objective", "above the first", "steps", "time of a step", "rate"]


@dataclass(frozen=True, repr=False)
class RaceAnswer:
    """What a race has found, and the ranking that chose who took part. Printed, it is a table with advice."""

    race: Race
    ranking: Answer
    interrupted: bool = False

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    @property
    def advice(self) -> str:
        """What to train with, in a sentence or two."""
        race = self.race
        if not race.finished:
            return f"No advice on training: {self._no_advice}."
        best, ties = race.finished[0], race.tied[1:]
        sentence = f"{'So far: train' if self.interrupted else 'Train'} with {best.estimator}"
        if ties:
            more = f" and {len(ties) - 1} more" if len(ties) > 1 else ""
            sentence += f" (or {ties[0].estimator}{more}, which it is not told apart from)"
        sentence += f": after {seconds(race.seconds)} it reaches {_reached(best.objective)}"
        following = next((one for one in race.finished if one not in race.tied), None)
        if following is not None:
            sentence += f", the next, {following.estimator}, {_reached(following.objective)}"
        return f"{sentence}.{self._of_errors(best)}"

    @property
    def _no_advice(self) -> str:
        if self.race.raced:
            return "every racer diverged"
        if self.interrupted:
            return "interrupted before the race"
        return "nobody could race" + (", and why is said above" if self.race.left_out else "")

    def _of_errors(self, best: Raced) -> str:
        """What no ranking by errors would have said."""
        if best.biased:
            told = " It is biased: a longer training may end elsewhere than at the optimum"
            safe = next((one.estimator for one in self.race.tied if not one.biased), None)
            return f"{told}." if safe is None else f"{told}; {safe} is not told apart from it, and unbiased."
        foremost = next((one for one in self.race.raced if one.entry == 0), None)
        if foremost is None or foremost in self.race.tied or foremost.biased:
            return ""
        where = "By error × time at the start"
        return f" {where}, {foremost.estimator} comes first: to train from there, what the race has seen counts."

    @property
    def code(self) -> str:
        """How to train with the best, in lines of Python; '' where there is none."""
        if not self.race.finished:
            return ""
        best = self.race.finished[0]
        lines = recipe(
            self.ranking.problem,
            best.estimator,
            best.num_samples,
            learns=best.learns,
            own=self.ranking.own.get(best.estimator),
            batch=self.race.batch,
            learning_rate=best.learning_rate,
        )
        return "\n".join(lines)

    @property
    def remarks(self) -> list[str]:
        """What to know of the figures."""
        race = self.race
        if not race.raced:
            return []
        first, ends = race.raced[0], (RATES[0], RATES[-1])
        at_ends = [one.estimator for one in race.finished if one.learning_rate in ends]
        data = f", on mini-batches of {race.batch}" if race.batch else ""
        found = [
            f"objectives are means over {first.seeds} seeds ± 95 %; {seconds(race.seconds)} of training one model each "
            f"by Adam{data}, from the same start; rates tried: {', '.join(map(str, RATES))}"
        ]
        if self._gained.low > 0:
            gained = number(self._gained.value)
            found.append(f"the first still falls, by {gained} in the last quarter: a longer race may end otherwise")
        if at_ends:
            found.append(f"the best rate tried is the first or the last for {', '.join(at_ends)}: others may be better")
        return found

    @property
    def _gained(self) -> Interval:
        """By how much the objective of the first fell in the last quarter of the time."""
        clock, curve = self.race.clock, self.race.raced[0].curve
        return sample_mean(curve[int((clock <= 0.75 * clock[-1]).sum()) - 1] - curve[-1])

    def document(self) -> dict[str, Any]:
        """The answer for JSON."""
        return {
            "problem": self.race.problem,
            "by": "training",
            "interrupted": self.interrupted,
            "seconds": self.race.seconds,
            "batch": self.race.batch,
            "advice": self.advice,
            "remarks": self.remarks,
            "code": self.code.splitlines(),
            "race": [as_entry(one, self.race) for one in self.race.raced],
            "clock": self.race.clock.tolist(),
            "left_out": dict(self.race.left_out),
            "ranking": self.ranking.document(),
        }

    def text(self, *, reasons: bool = False, whole: bool = False) -> str:
        """The table, the advice and the code; the ranking where nobody raced, its options as there."""
        race, left_out = self.race, [f"{label} did not race: {why}" for label, why in self.race.left_out.items()]
        if not race.raced:
            return "\n".join(
                [self.ranking.text(reasons=reasons, whole=whole), "", *map(folded, [*left_out, self.advice])]
            )
        title = f"{race.problem}, after {seconds(race.seconds)} of training; ≈: not told apart from the first"
        rows = [_row(place, one, race) for place, one in enumerate(race.raced, start=1)]
        table = table_for_terminal(COLUMNS, rows, title=title, right=COLUMNS[4:])
        told = [table, *map(folded, [*left_out, self.advice]), *(folded(remark, "  ") for remark in self.remarks)]
        return "\n".join([*told, "", self.code] if self.code else told)

    def frames(self) -> tuple[DataFrame, DataFrame]:
        """The curves as cells and traces of a run of training, to be drawn as these are."""
        cells = [_cell(one, self.race.problem) for one in self.race.raced]
        rows = [
            {"key": cell["key"], "quantity": "objective", "step": step, "replicate": seed, "value": value}
            for cell, one in zip(cells, self.race.raced, strict=True)
            for step, values in zip((self.race.clock / one.step_seconds).tolist(), one.curve.tolist(), strict=True)
            for seed, value in enumerate(values)
            if math.isfinite(value)
        ]
        return DataFrame(cells), DataFrame(rows)


def _reached(objective: Interval) -> str:
    return plus_minus(objective.value, objective.high - objective.value)


def _row(place: int, one: Raced, race: Race) -> list[str]:
    if one.diverged:
        reached, mark, above = f"{one.diverged} of {one.seeds} diverged", "diverged", ""
    else:
        mark = f"{place} ≈" if place > 1 and race.is_tied(one) else str(place)
        difference = one.over(race.raced[0])
        reached, above = _reached(one.objective), _reached(difference) if place > 1 else ""
    how = "biased" if one.biased else ""
    figures = [reached, above, number(one.steps), seconds(one.step_seconds), str(one.learning_rate)]
    return [mark, one.estimator, number(one.num_samples), how, *figures]


def as_entry(one: Raced, race: Race) -> dict[str, Any]:
    known = not one.diverged
    return {
        "estimator": one.estimator,
        "num_samples": one.num_samples,
        "biased": one.biased,
        "objective": list(one.objective) if known else None,
        "above_best": list(one.over(race.raced[0])) if known else None,
        "tied_with_best": race.is_tied(one),
        "steps": one.steps,
        "seconds_per_step": one.step_seconds,
        "learning_rate": one.learning_rate,
        "diverged": one.diverged,
        "curve": [[None if value != value else value for value in values] for values in one.curve.tolist()],
    }


def _cell(one: Raced, problem: str) -> Mapping[str, Any]:
    label = f"{one.estimator}, {one.num_samples} samples, rate {one.learning_rate}"
    label += f", {one.diverged} of {one.seeds} seeds diverged" if one.diverged else ""
    return {
        "key": label,
        "status": "done",
        "problem": problem,
        "estimator": label,
        "num_samples": one.num_samples,
        "training": "",
        "seconds_per_gradient": one.step_seconds,
        "compile": False,
        "seed": 0,
    }
