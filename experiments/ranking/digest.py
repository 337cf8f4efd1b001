"""What a run found, in the few lines that a person reads."""

from collections.abc import Iterable

from pandas import DataFrame

from experiments.ranking.finding import Finding, sentence_of_training
from experiments.ranking.stored import Ranking, rankings
from experiments.ranking.trained import trained
from experiments.ranking.work_map import map_text
from experiments.store import Run
from experiments.store.columns import records
from experiments.terminal.labels import labels
from experiments.terminal.numbers import percent
from experiments.terminal.tables import hanging

__all__ = ["biases", "digest", "sentences"]

MOST = 8
"""Problems that are told of one by one."""
NAMES = 4
"""Estimators that are named where there are many."""
INDENT = "    "


def digest(run: Run, width: int | None) -> str:
    """The map, a sentence for each problem, and what is known of biases; '' where nothing is done."""
    ranked = rankings(run)
    told = sentences(run, ranked)
    named = labels(told)
    lines = [hanging(f"{named[problem]}: ", text, INDENT, width) for problem, text in [*told.items()][:MOST]]
    if len(told) > MOST:
        lines.append(f"… and {len(told) - MOST} more problems, which the report has")
    lines += [hanging("", text, INDENT, width) for text in biases(run.measured)]
    drawn = map_text(ranked, width)
    return "\n".join([*([drawn, ""] if drawn else []), *lines])


def sentences(run: Run, ranked: Iterable[Ranking]) -> dict[str, str]:
    """A sentence for each problem: of its gradients, or of its training."""
    named = labels(run.done["estimator"])
    several = len(run.done[["device", "dtype"]].drop_duplicates()) > 1
    found = {one.problem: Finding(one, named, several).sentence for one in ranked}
    return found | {one.problem: sentence_of_training(one, named) for one in trained(run)}


def biases(cells: DataFrame) -> list[str]:
    """The biases that were found, and how sure it is that there are no more."""
    rows = [row for row in records(cells) if row["verdict"] is not None]
    if not rows:
        return []
    named = labels(row["estimator"] for row in rows)
    biased = _listed(named[row["estimator"]] for row in rows if row["verdict"] == "biased")
    found = f"Biased somewhere: {biased}." if biased else "No estimator was found biased."
    least = max((row["detectable_bias"] for row in rows if row["detectable_bias"] is not None), default=None)
    undecided = sum(row["verdict"] == "undetermined" for row in rows)
    if not undecided:
        return [f"{found} One of {percent(least)} of the gradient would have been seen." if least else found]
    return [
        f"{found} In {undecided} of {len(rows)} cells a bias of 1 % of the gradient could still hide in the noise; "
        "more replicates would tell (--max-replicates)."
    ]


def _listed(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - NAMES} more" if len(found) > NAMES else ""
    return ", ".join(found[:NAMES]) + more
