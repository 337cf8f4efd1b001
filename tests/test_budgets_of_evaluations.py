"""Contests hold to a number of evaluations of the cost."""

import re
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from contests import contest, named, wanted
from measurements import Custom
from torch import Tensor

from estimators import Params
from experiments.ranking.budget import Budget

SCORE = "score-function:control_variate=leave-one-out"
CHEAP = ("pathwise", "score-function", SCORE)
DEAR = "finite-differences"
pytestmark = pytest.mark.usefixtures("own_cache")


@dataclass(frozen=True)
class Counted(Custom):
    """Counts what its cost is asked for, by whomever."""

    asked: ClassVar[list[int]] = []

    def cost(self, x: Tensor, params: Params) -> Tensor:
        self.asked.append(x.shape[:2].numel())
        return super().cost(x, params)


@pytest.mark.parametrize(("allowed", "measured"), [(200, 0), (1000, 1), (4000, 2)])
def test_evaluations_hold_to_the_last_one_that_anybody_asks_for(allowed: int, measured: int) -> None:
    """Checks, prices, references and fingerprints included: of a user's answers there are no more than so many."""
    Counted.asked.clear()
    found = contest([*CHEAP, "finite-differences", "measure-valued"], Budget(None, allowed), problem=Counted())
    assert sum(Counted.asked) <= allowed and len(found.measurements) >= measured
    assert len(found.measurements) + len(found.left_out) == 5 and not found.failed
    for why in named(found.left_out).values():
        assert re.search(r"64 gradients take (about )?[\d,]+ .*share; [\d,]+ evaluations would include it", why), why


def test_as_many_evaluations_as_it_says_include_one() -> None:
    few = named(contest(["score-function"], Budget(None, 200), problem=Counted()).left_out)["score-function"]
    enough = Budget(None, int(wanted(few, "evaluations")))
    assert contest(["score-function"], enough, problem=Counted()).measurements


@dataclass(frozen=True)
class Counting(Custom):
    """Counts the evaluations of its cost."""

    counted: ClassVar[list[int]] = [0]

    def cost(self, x: Tensor, params: Params) -> Tensor:
        found = super().cost(x, params)
        self.counted[0] += found.numel()
        return found


@pytest.mark.parametrize("evaluations", [10_000, 50_000])
def test_a_budget_of_evaluations_holds(evaluations: int) -> None:
    """Checks of a few evaluations aside. Nobody counts on the estimators' words alone here."""
    Counting.counted[0] = 0
    found = contest(
        [*CHEAP, "score-function:control_variate=moving-average"], Budget(None, evaluations), problem=Counting()
    )
    assert {one.estimator for one in found.measurements} >= set(CHEAP)
    assert evaluations / 3 < Counting.counted[0] < 1.1 * evaluations + 2000


@dataclass(frozen=True)
class Wide(Custom):
    """Of 20 dimensions, each of which measure-valued estimators move."""

    def initial_params(self) -> Params:
        return {"loc": torch.ones(20, dtype=torch.float64)}


def test_who_is_too_dear_in_evaluations_says_how_many_it_takes() -> None:
    found = contest(["pathwise", "score-function", "measure-valued"], Budget(None, 4000), problem=Wide())
    assert "measure-valued" not in {one.estimator for one in found.measurements}
    assert "evaluations" in named(found.left_out)["measure-valued"]
