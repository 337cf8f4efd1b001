"""Which estimator to use, problem by problem."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.ranking.stored import Ranking
from experiments.store.columns import COLUMNS, Column, Row, rescaling

__all__ = ["Table", "tables"]


class Table(NamedTuple):
    problem: str
    quantity: str  # what is multiplied by time: MSE or variance
    columns: list[Column]
    ranked: list[Row]  # best first, with `place`
    others: list[Row]  # the cells that have no place, which `place` says why
    ties: int  # how many others are not told apart from the first
    unranked: dict[str, str]  # estimator -> why it has no figure
    rescaled: dict[str, str]  # estimator -> what its mean is of the gradient, where it is biased by a change of scale
    vague: bool  # the figure of the first is not known to within a factor of ten


def tables(found: Sequence[Ranking]) -> list[Table]:
    """A table a problem."""
    return [_table(ranking) for ranking in found]


def _table(ranking: Ranking) -> Table:
    ranked = [one for one in ranking.placed if one.ranked.usable]
    others = [one.row | {"place": one.ranked.aside} for one in ranking.placed if not one.ranked.usable]
    ties = [one.ranked.tied for one in ranked[1:]]
    places = [f"{i} ≈" if tie else f"{i}" for i, tie in enumerate([False, *ties], start=1)]
    rows = [one.row | {"place": place} for one, place in zip(ranked, places, strict=False)]
    several = len({(one.row["device"], one.row["dtype"]) for one in ranking.placed}) > 1
    columns, told = _columns(ranking.quantity, several), {row["estimator"]: rescaling(row) for row in others}
    alike = {estimator: text for estimator, text in told.items() if text}
    vague = bool(ranked) and ranked[0].ranked.vague
    return Table(ranking.problem, ranking.quantity, columns, rows, others, sum(ties), ranking.unranked, alike, vague)


def _columns(quantity: str, several: bool) -> list[Column]:
    """With the device and the dtype where there are several."""
    where = [Column("device", heading="device", note=lambda row: f", {row['dtype']}")]
    return [
        Column("place", heading="place"),
        COLUMNS["estimator"],
        COLUMNS["num_samples"],
        COLUMNS["claim"],
        COLUMNS["verdict"],
        *(where if several else []),
        COLUMNS[f"work_normalized_{quantity.lower()}"],
        COLUMNS["mse" if quantity == "MSE" else "total_variance"],
        COLUMNS["seconds_per_gradient"],
    ]
