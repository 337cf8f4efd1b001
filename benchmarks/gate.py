"""Does a commit make anything worse? `python -m benchmarks.gate BASE HEAD [--all | --bench REGEX]`.

Without an option, every mechanism is measured once, in a quarter of an hour (`selection.py`). `nox -s bench-compare`
calls it.

asv measures both commits in turn. A row is worse where it fails now, or exceeds both a factor and an absolute change
(times also beyond chance); what is worse is measured once more, and counts if it is worse again. asv's own exit codes
cannot decide: `continuous` also ends with 1 after a failed build, and `compare` with 0 after a regression.

Prints a Markdown table. Exits with 0, 2 (bad usage), 3 (something is worse) or 4 (nothing could be compared).
"""

import argparse
import itertools
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asv import results
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.machine import Machine
from asv.util import UserError, human_value
from scipy.stats import mannwhitneyu

from benchmarks.instructions import SELECTION
from benchmarks.selection import DEFAULT

__all__ = ["THRESHOLDS", "Row", "Side", "Threshold", "gate", "report"]

REGRESSION, NOTHING = 3, 4
SIGNIFICANCE = 0.002
FEW_ROUNDS = 2


class Threshold(NamedTuple):
    """A row is worse above `factor` times the base, if that is more than `change` above it."""

    factor: float
    change: float


THRESHOLDS = {
    "seconds": Threshold(1.5, 20e-6),
    "bytes": Threshold(1.1, 30e6),
    "instructions": Threshold(1.1, 100_000),
    "variance": Threshold(1.2, 1e-8),
    "evaluations": Threshold(1.0, 0.5),
}
"""The threshold for each unit of a benchmark."""


class Side(NamedTuple):
    """What was measured of a commit: None where it failed, NaN where the commit does not have it."""

    value: float | None
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """A benchmark with its parameters, before and after."""

    name: str
    unit: str
    base: Side
    head: Side

    @property
    def comparable(self) -> bool:
        return _measured(self.base) and _measured(self.head)

    @property
    def skipped(self) -> bool:
        """Whether neither commit has it."""
        return all(side.value is not None and math.isnan(side.value) for side in (self.base, self.head))

    @property
    def worse(self) -> bool:
        return self._fails_now or _exceeds(self.head, self.base, self.unit)

    @property
    def better(self) -> bool:
        return _exceeds(self.base, self.head, self.unit)

    @property
    def ratio(self) -> float:
        assert self.base.value is not None and self.head.value is not None
        return self.head.value / self.base.value if self.base.value else math.inf if self.head.value else 1.0

    @property
    def _fails_now(self) -> bool:
        """Whether it fails, or is skipped: what is tracked is what the checkout of the second commit has."""
        return _measured(self.base) and not _measured(self.head)


def _measured(side: Side) -> bool:
    return side.value is not None and not math.isnan(side.value)


def _exceeds(one: Side, other: Side, unit: str) -> bool:
    if one.value is None or other.value is None:
        return False
    factor, change = THRESHOLDS[unit]
    if not (one.value > factor * other.value and one.value - other.value > change):  # NaN is not above anything
        return False
    if not (one.samples and other.samples):
        return True
    return bool(mannwhitneyu(one.samples, other.samples, alternative="greater").pvalue < SIGNIFICANCE)


def main(arguments: Sequence[str] | None = None) -> int:
    assert __doc__
    parser = argparse.ArgumentParser(
        "gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("head", help="the commit to judge")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--bench", action="append", default=[], metavar="REGEX", help="only benchmarks like this one")
    scope.add_argument("--all", action="store_true", help="every benchmark: hours")
    given = parser.parse_args(arguments)
    try:
        base, head = _commit(given.base), _commit(given.head)
        for regex in given.bench:
            re.compile(regex)
    except (ValueError, re.error) as error:
        parser.error(str(error))
    quick = not (given.all or given.bench)
    return gate(base, head, DEFAULT if quick else given.bench, FEW_ROUNDS if quick else None)


def gate(base: str, head: str, bench: Sequence[str], rounds: int | None = None) -> int:
    """Measure two commits, once more where one is worse, and print what came of it; the exit code.

    `rounds` of processes take the place of those that a benchmark asks for, the first time.
    """
    try:
        rows = measured(base, head, bench, rounds)
    except UserError as error:  # asv has said more on stderr
        print(f"nothing was measured: {error}")
        return NOTHING
    suspects = [row for row in rows if row.worse]
    comparable = any(row.comparable for row in rows)
    again = measured(base, head, [f"^{re.escape(row.name)}$" for row in suspects]) if suspects and comparable else []
    print(report(rows, again, base[:8], head[:8]))
    if not comparable:
        print("\nnothing could be compared: do both commits build, and do these benchmarks run on both?")
        return NOTHING
    return REGRESSION if confirmed(rows, again) else 0


def confirmed(rows: Sequence[Row], again: Sequence[Row]) -> list[Row]:
    """What is worse both times, as it was the first time."""
    twice = {row.name for row in again if row.worse}
    return [row for row in rows if row.worse and row.name in twice]


def measured(base: str, head: str, bench: Sequence[str], rounds: int | None = None) -> list[Row]:
    """Both commits measured in turn by asv, whose progress goes to stderr."""
    began = time.time()
    command = [sys.executable, "-m", "asv", "continuous", "--interleave-rounds", "--show-stderr", base, head]
    command += [part for regex in bench for part in ("--bench", regex)]
    command += ["--attribute", f"rounds={rounds}"] if rounds else []
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], stdout=sys.stderr, check=True)
    subprocess.run(command, stdout=sys.stderr, env={**os.environ, SELECTION: "\n".join(bench)})
    config = Config.load()
    units = {name: benchmark["unit"] for name, benchmark in Benchmarks.load(config).items()}
    machine = Machine.get_unique_machine_name()
    before, after = (_sides(config.results_dir, machine, commit, began) for commit in (base, head))
    names = [name for name in {**before, **after} if not bench or any(re.search(regex, name) for regex in bench)]
    absent = Side(math.nan)
    return [
        Row(name, units[name.partition("(")[0]], before.get(name, absent), after.get(name, absent))
        for name in sorted(names)
        if name.partition("(")[0] in units
    ]


def _sides(folder: str, machine: str, commit: str, since: float) -> dict[str, Side]:
    """What was measured of a commit after `since`, by the name with the parameters."""
    found = {}
    for result in results.iter_results_for_machine_and_hash(folder, machine, commit):
        for key in result.get_all_result_keys():
            if (result.started_at.get(key) or 0) / 1000 >= since:
                found.update(_unrolled(result, key))
    return found


def _unrolled(result: results.Results, key: str) -> Iterator[tuple[str, Side]]:
    params = result.get_result_params(key)
    values, samples = (get(key, params) for get in (result.get_result_value, result.get_result_samples))
    for point, value, sample in itertools.zip_longest(itertools.product(*params), values, samples or ()):
        name = f"{key}({', '.join(point)})" if point else key
        yield name, Side(value, tuple(sample or ()))


def report(rows: Sequence[Row], again: Sequence[Row], base: str, head: str) -> str:
    """What changed, as Markdown."""
    second = {row.name: row for row in again}
    worse, better = confirmed(rows, again), [row for row in rows if row.better]
    passing = [row for row in rows if row.worse and row not in worse]
    present = [row for row in rows if not row.skipped]
    compared = sum(row.comparable for row in rows)
    counts = f"{compared} compared, {len(worse)} worse, {len(passing)} worse once only, {len(better)} better"
    lines = [f"**{base} → {head}**: {counts}, {len(present) - compared} without a counterpart"]
    benchmarks = {row.name.partition("(")[0] for row in rows}
    if absent := sorted(benchmarks - {row.name.partition("(")[0] for row in present}):
        lines += ["", f"Not measured here: {', '.join(absent)}"]
    if changed := [*worse, *passing, *better]:
        lines += ["", "| | benchmark | before | after | ratio | second run |", "|---|---|---:|---:|---:|---:|"]
        marks = ["worse"] * len(worse) + ["worse once"] * len(passing) + ["better"] * len(better)
        lines += [_line(mark, row, second.get(row.name)) for mark, row in zip(marks, changed, strict=True)]
    return "\n".join(lines)


def _line(mark: str, row: Row, again: Row | None) -> str:
    before, after = (figure(side.value, row.unit) for side in (row.base, row.head))
    ratios = [f"{one.ratio:.2f}" if one and one.comparable else "" for one in (row, again)]
    name = row.name.replace("|", "\\|")
    return f"| {mark} | `{name}` | {before} | {after} | {' | '.join(ratios)} |"


def figure(value: float | None, unit: str) -> str:
    """A number with its unit, as asv prints times and bytes."""
    return f"{value:.6g}" if value is not None and unit not in ("seconds", "bytes") else human_value(value, unit)


def _commit(name: str) -> str:
    """The full hash. ValueError: there is no such commit."""
    command = ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        raise ValueError(f"there is no commit '{name}' here")
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
