"""What a cell, a reference and a training say of themselves while they are computed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from estimators import Params, Problem
from estimators.pathwise import Pathwise
from experiments.engine.work import measure_cell, time_cells
from experiments.gradients.prepare import prepare
from experiments.measuring import long_run
from experiments.measuring.find_reference import find_reference
from experiments.sweep import Cell, Stop, Train

EXACT = "gaussian-quadratic:dim=2"


@dataclass(frozen=True)
class Quartic(Problem):
    """A cost of which nobody gives the exact gradient."""

    def initial_params(self) -> Params:
        return {"loc": torch.ones(2)}

    def distribution(self, params: Params) -> Independent:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.pow(4).sum(-1)


class Heard(list[tuple[str, float]]):
    """What was told, and the seconds that were left."""

    def __call__(self, what: str, left: float) -> None:
        self.append((what, left))

    @property
    def texts(self) -> list[str]:
        return [what for what, _ in self]


@pytest.fixture
def heard(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(long_run, "MOST", 2 * long_run.FEWEST)
    yield Heard()


def test_a_cell_says_how_many_replicates_there_are_and_when_it_ends(heard: Heard) -> None:
    measure_cell(Cell("pathwise", EXACT, 4, stop=Stop(replicates=200_000)), heard)
    blocks = [(what, left) for what, left in heard if what.endswith(" replicates") and what != "the first replicates"]
    assert len(blocks) > 2 and all(math.isfinite(left) for _, left in blocks)
    assert blocks[0][1] > 0 and blocks[-1] == ("200,000 replicates", 0.0)
    assert heard.texts[0] == "preparing" and heard.texts[-1] == "summing up"


def test_a_reference_says_how_far_it_is(heard: Heard) -> None:
    work = prepare(Quartic(), Pathwise(), 4)
    find_reference(work, heard)
    steps = [(what, left) for what, left in heard if what.startswith("reference gradient,")]
    assert [what for what, _ in steps][:2] == [
        f"reference gradient, {count} replicates" for count in ("1,024", "2,048")
    ]
    assert all(0 < left < math.inf for _, left in steps)
    heard.clear()
    find_reference(work, heard)
    assert not heard, "it was kept"


def test_a_training_says_how_many_steps_there_are(heard: Heard) -> None:
    measure_cell(Cell("pathwise", EXACT, 2, train=Train(steps=20, record=10)), heard)
    assert [what for what in heard.texts if "steps" in what] == ["0 of 20 steps", "10 of 20 steps", "20 of 20 steps"]
    assert heard[-1][1] == 0


def test_a_timing_says_how_many_blocks_there_are(heard: Heard) -> None:
    cells = [Cell(spec, EXACT, 4) for spec in ("pathwise", "score-function")]
    time_cells(cells, 2, [1.0] * len(cells), heard)
    assert heard.texts[:2] == ["warming up 1 of 2", "warming up 2 of 2"]
    assert heard.texts[2:] == [f"{done} of 4 blocks" for done in (1, 2, 3, 4)] and heard[-1][1] == 0
