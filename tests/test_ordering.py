"""The order of a ranking, on made-up intervals."""

import math

import pytest

from experiments.ranking.advice import advice
from experiments.ranking.order import Ranked, in_order
from experiments.statistics import Interval


def one(name: str, value: float, low: float = math.nan, high: float = math.nan, biased: bool = False) -> Ranked:
    return Ranked(name, Interval(value, low, high), biased)


def names(ranking: list[Ranked]) -> list[str]:
    return [ranked.estimator for ranked in ranking]


def test_the_usable_come_first_then_the_biased_then_what_is_not_finite() -> None:
    ranking = in_order(
        [
            one("nan", math.nan),
            one("infinite", math.inf, 0.0, math.inf),
            one("cheap but biased", 0.1, 0.05, 0.2, biased=True),
            one("second", 3.0, 2.5, 3.5),
            one("biased and nan", math.nan, biased=True),
            one("worse and biased", 5.0, 4.0, 6.0, biased=True),
            one("first", 1.0, 0.9, 1.1),
        ]
    )
    assert names(ranking)[:4] == ["first", "second", "cheap but biased", "worse and biased"]
    assert [ranked.usable for ranked in ranking] == [True, True, *[False] * 5]
    assert not any(ranked.tied for ranked in ranking[1:])


@pytest.mark.parametrize(("low", "tied"), [(1.19, True), (1.2, True), (1.21, False)])
def test_a_tie_is_an_interval_that_reaches_that_of_the_best(low: float, tied: bool) -> None:
    best, other = in_order([one("other", 2.0, low, 3.0), one("best", 1.0, 0.8, 1.2)])
    assert best.tied and other.tied == tied


def test_the_tie_is_with_the_best_alone() -> None:
    """The third reaches the second, which reaches the first."""
    ranking = in_order([one("a", 1.0, 0.8, 1.2), one("b", 1.3, 1.1, 1.5), one("c", 1.6, 1.4, 1.8)])
    assert [ranked.tied for ranked in ranking] == [True, True, False]


def test_the_biased_and_what_is_not_finite_tie_with_nobody() -> None:
    ranking = in_order([one("a", 1.0, 0.8, 1.2), one("b", 1.0, 0.8, 1.2, biased=True), one("c", math.inf, 0.0, 9.0)])
    assert [ranked.tied for ranked in ranking] == [True, False, False]
    assert not any(ranked.tied for ranked in in_order([one("a", 1.0, 0.8, 1.2, biased=True)]))


def test_advice() -> None:
    best, tie, other = one("best", 1.0, 0.8, 1.2), one("tie", 1.1, 0.9, 1.3), one("other", 4.0, 3.0, 5.0)
    biased = one("biased", 0.1, 0.1, 0.1, biased=True)
    assert advice(in_order([best]), "MSE") == "Use best."
    assert advice(in_order([biased, other, best]), "MSE") == "Use best: 4 times less MSE for the time than other."
    told = advice(in_order([other, best, tie, biased]), "MSE")
    assert told.startswith("Use best (or tie, which it is not told apart from): 4 times less")
    more = advice(in_order([best, tie, one("tie too", 1.2, 1.0, 1.4)]), "MSE")
    assert more == "Use best (or tie and 1 more, which it is not told apart from)."
    assert advice(in_order([one("free", 0.0, 0.0, 0.0), other]), "MSE") == "Use free."
    assert advice(in_order([one("free", 0.0, 0.0, 0.0), one("pathwise", 4.0, 3.9, 4.1)]), "MSE") == (
        "Use free: it has no noise at all here, unlike pathwise, the plain estimator."
    )


@pytest.mark.parametrize("entry", [one("a", 1.0, 0.8, 1.2, biased=True), one("a", math.nan), one("a", math.inf)])
def test_nothing_is_recommended_where_nothing_is_usable(entry: Ranked) -> None:
    assert advice(in_order([entry, entry]), "MSE").endswith("none can be recommended.")
