"""The figures of a cell that no machine decides, as they are kept and as they were computed anew: p-values."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from experiments.statistics import ALPHA, GROUPS, ROUNDING, Interval, log_standard_error
from experiments.store.columns import Row
from experiments.verifying.comparing import Figure, certain, linear, missing, positive, shares, shown, two_sided, worst

__all__ = ["Figure", "Found", "figures"]

LINEAR = {"squared_bias": -1, "snr": 1, "cosine": 1, "mean_cosine": 1, "scale": 0, "batch_share": 0}
"""Figures that are compared by their difference, and whether more of them is better."""
RANKED = ("total_variance", "variance", "mse", "squared_bias", "objective")
OF_REFERENCE = ("mse", "squared_bias")
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
HEAVY = "heavy tails"
"""How the warning begins that no interval of a variance can be relied upon."""
SAME = ("claim", "target", "evaluations")
"""Columns without noise."""
ENTRY = ("parameter", "index")
FAR, LIGHT = 3.0, 10.0
"""How many times what comes out here an error may be that is kept, for as many replicates, or which part of it; and the
kurtosis of the estimates up to which it is so."""
TINY = 1e-300
"""The smallest p-value that has a score."""
NORM = {"exact": 1e-3, "measured": 0.1}
"""Relative difference of the norms of two reference gradients of a kind."""


@dataclass(frozen=True)
class Found:
    """What is known of a cell."""

    row: Row
    parameters: Sequence[Row]
    signals: Sequence[Row]

    @property
    def is_heavy(self) -> bool:
        return HEAVY in (self.row["warnings"] or "")


def figures(kept: Found, here: Found) -> Iterator[Figure]:
    """All that is known here; the entries of a parameter's means, and of its variances, are one figure each."""
    for name in SAME:
        if kept.row[name] != here.row[name]:
            yield certain(name, kept.row[name], here.row[name])
    if kept.row["optimizer"] is not None:
        yield from _trained(kept.row, here.row)
        return
    floor, more = _floor(here), max(here.row["replicates"] / kept.row["replicates"], 1.0)
    if kept.row["nonfinite"] or here.row["nonfinite"]:
        yield _shares("nonfinite", kept.row, here.row)
    yield from _reference(kept.row, here.row)
    yield from _bias(kept.row, here.row)
    yield from _means(kept, here, floor)
    for name, better in LINEAR.items() if here.row["total_variance"] else ():  # events may have been missed
        yield from _compared(linear, name, kept.row, here.row, more, better)
    if not here.is_heavy:
        yield from _variances(kept, here, floor, more)
        yield from _precision(kept.row, here.row)


def _trained(kept: Row, here: Row) -> Iterator[Figure]:
    """The objective after the last step, and how many seeds diverged."""
    freedom = max(min(kept["replicates"], here["replicates"]) - 1, 1)
    yield _shares("diverged", kept, here)
    yield from _compared(linear, "objective", kept, here, 1.0, -1, freedom)


def _compared(how: Any, name: str, kept: Row, here: Row, *more: Any) -> Iterator[Figure]:
    """A figure that both sides know; of what estimators are ranked by, chance does not take one away."""
    there, own = Interval.of(kept, name), Interval.of(here, name)
    if None in own:
        return
    if None not in there:
        yield how(name, there, own, *more)
    elif name in RANKED and not kept["nonfinite"] and not (kept["reference"] == "none" and name in OF_REFERENCE):
        yield missing(name, own)


def _reference(kept: Row, here: Row) -> Iterator[Figure]:
    """What the estimates are compared with."""
    norms = kept["gradient_norm"], here["gradient_norm"]
    if norms[1] is None or kept["reference"] == "none":
        return
    if norms[0] is None:
        yield certain("gradient_norm", "missing", f"{norms[1]:.4g}")
    elif abs(norms[0] - norms[1]) > max(NORM.get(row["reference"], 0.0) for row in (kept, here)) * max(norms):
        yield certain("gradient_norm", *(f"{norm:.4g}" for norm in norms))


def _bias(kept: Row, here: Row) -> Iterator[Figure]:
    """The p-value of the bias where it is smaller here: scores, of which each has an error of about 1."""
    if here["p_value"] is None or kept["nonfinite"] or here["p_value"] >= ALPHA or not here["total_variance"]:
        return  # where nothing varies, events that make the rest of the gradient may have been missed
    if kept["p_value"] is None:
        yield Figure("verdict", kept["verdict"] or "no reference", here["verdict"], here["p_value"])
        return
    theirs, own = (float(stats.norm.isf(max(row["p_value"], TINY) / 2)) for row in (kept, here))
    share = math.sqrt(min(kept["replicates"] / here["replicates"], 1.0))  # a kept one of fewer replicates sees less
    error = math.sqrt(2.0 + (theirs**2 + own**2) / (2 * (GROUPS - 1)))
    told, found = (f"{row['verdict']}, p = {row['p_value']:.2g}" for row in (kept, here))
    yield Figure("verdict", told, found, two_sided(max(share * own - theirs, 0.0) / error))


def _precision(kept: Row, here: Row) -> Iterator[Figure]:
    """How closely the variance is known for as many replicates, which is alike where no large estimates are rare."""
    sides = [(Interval.of(row, "total_variance"), row["replicates"]) for row in (kept, here)]
    if any(None in side for side, _ in sides) or not (here["kurtosis"] or math.inf) < LIGHT:
        return
    theirs, own = (log_standard_error(side) * math.sqrt(replicates) for side, replicates in sides)
    if math.isfinite(theirs) and 0 < own < math.inf and not 1 / FAR < theirs / own < FAR:
        yield certain("precision", *(f"{shown(side)} by {replicates:,}" for side, replicates in sides))


def _variances(kept: Found, here: Found, floor: float, more: float) -> Iterator[Figure]:
    """Ratios of positive figures; what is below rounding is alike."""
    for name in ("total_variance", "mse"):
        yield from _compared(positive, name, kept.row, here.row, floor**2, more)
    for table, name, keys in (("parameters", "variance", ENTRY), ("signals", "total_variance", ENTRY[:1])):
        pairs = _paired(getattr(kept, table), getattr(here, table), keys)
        found = [
            replace(figure, name=where)
            for where, theirs, own in pairs
            for figure in _compared(positive, name, kept.row | theirs, own, floor**2, more)
        ]
        yield worst(f"{name} in {table}", found)


def _means(kept: Found, here: Found, floor: float) -> Iterator[Figure]:
    """The mean estimates, entry by entry: what the bias is made of."""
    for what, keys in (("parameters", ENTRY), ("signals", ENTRY[:1])):
        theirs, own = ([_name(row, keys) for row in getattr(side, what)] for side in (kept, here))
        if sorted(theirs) != sorted(own):
            yield certain(f"entries of the {what}", len(theirs), len(own))
            return
    replicates = kept.row["replicates"], here.row["replicates"]
    known = [pair for pair in _paired(kept.parameters, here.parameters, ENTRY) if None not in _moments(pair[2])]
    if not kept.row["nonfinite"] and any(None in _moments(theirs) for _, theirs, _ in known):
        yield certain("mean", "missing", "known")
    yield worst(
        "mean",
        [_mean(where, theirs, own, replicates, floor) for where, theirs, own in known if None not in _moments(theirs)],
    )


def _moments(row: Row) -> tuple[Any, Any]:
    return row["mean"], row["variance"]


def _mean(where: str, kept: Row, here: Row, replicates: tuple[int, int], floor: float) -> Figure:
    """By the noise of both."""
    told = where, f"{kept['mean']:.6g}", f"{here['mean']:.6g}"
    if not all(map(math.isfinite, (*_moments(here), kept["mean"]))):
        return Figure(*told, float(kept["mean"] == here["mean"] or not math.isfinite(here["variance"])))
    noise = kept["variance"] / replicates[0] + here["variance"] / replicates[1]
    error, difference = math.sqrt(noise + floor**2), abs(kept["mean"] - here["mean"])
    return Figure(*told, two_sided(difference / error) if error else float(not difference))


def _shares(name: str, kept: Row, here: Row) -> Figure:
    sides = [(row[name] or 0, max(row["replicates"], row[name] or 0)) for row in (kept, here)]
    return shares(name, *sides)


def _floor(here: Found) -> float:
    """What rounding may move an entry by."""
    squares = sum(row["mean"] * row["mean"] for row in here.parameters if row["mean"] is not None)
    norm = math.sqrt(squares) if math.isfinite(squares) else 0.0
    return ROUNDING * EPSILON.get(here.row["dtype"], 0.0) * max(norm, here.row["gradient_norm"] or 0.0)


def _paired(kept: Sequence[Row], here: Sequence[Row], keys: Sequence[str]) -> list[tuple[str, Row, Row]]:
    """The rows of both sides that are of one entry."""
    known: Mapping[str, Any] = {_name(row, keys): row for row in here}
    return [(name, row, known[name]) for row in kept if (name := _name(row, keys)) in known]


def _name(row: Row, keys: Sequence[str]) -> str:
    parameter, *index = (row[key] for key in keys)
    return f"{parameter}{index}" if index and index[0] is not None else str(parameter)
