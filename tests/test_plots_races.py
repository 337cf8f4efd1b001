"""The figure of a race shows how every racer ends, however much worse than the best."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from estimators import make_problem
from experiments.plots.drawing.training_curves import training_page
from experiments.ranking.answer import Answer
from experiments.ranking.race_answer import RaceAnswer
from experiments.ranking.raced import Race, Raced

SEEDS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
CLOCK = np.linspace(0.0, 12.0, 25)


def racer(name: str, last: float, step_seconds: float = 2e-3, diverged: int = 0) -> Raced:
    """Falls, or rises, from 200 to its last objective, most of it at once."""
    curve = last + (200 - last) * np.exp(-CLOCK)[:, None] + SEEDS
    curve[5:, :diverged] = np.nan
    return Raced(name, 4, 0, False, False, 0.004, step_seconds, 6_000, curve)


def drawn(*racers: Raced) -> Axes:
    race = Race("model", 12.0, CLOCK, 0, racers, {})
    answer = RaceAnswer(race, Answer(make_problem("gaussian-quadratic"), [4], [], {}, {}))
    (axes,) = training_page(*answer.frames(), "seconds", "seconds of training one model", None).axes
    return axes


@pytest.mark.parametrize(
    "racers",
    [
        (racer("one", 150), racer("two", 152), racer("slow", 190, step_seconds=1.0)),
        (racer("one", 150), racer("two", 151), racer("three", 152), racer("worst", 5e4)),
        (racer("one", -3), racer("two", 1e9)),
        (racer("one", 150), racer("same", 150)),
    ],
)
def test_every_end_is_inside_and_apart_from_the_others(racers: tuple[Raced, ...]) -> None:
    """In pixels: those that differ by more than their bands are apart, and nobody lies on the frame."""
    axes = drawn(*racers)
    axes.figure.canvas.draw()
    ends = np.array([np.asarray(line.get_xydata())[-1] for line in axes.lines])
    assert len(ends) == len(racers) and np.isfinite(ends).all()
    heights = axes.transAxes.inverted().transform(axes.transData.transform(ends))[:, 1]
    assert (heights > 0.02).all() and (heights < 0.98).all()
    wanted = sorted({float(one.objective.value) for one in racers})
    shown = sorted(set(heights.round(6)))
    assert len(shown) == len(wanted) and (np.diff(shown) > 0.004).all()
    assert 2 <= len([text for text in axes.get_yticklabels() if text.get_text()]) < 20
    plt.close("all")


def test_who_diverges_is_drawn_as_far_as_it_went_and_named_so() -> None:
    axes = drawn(racer("one", 150), racer("some", 160, diverged=2), racer("all", 170, diverged=5))
    assert [len(np.asarray(line.get_xydata())) for line in axes.lines] == [5, 25, 25]
    names = [str(line.get_label()) for line in axes.lines]
    assert sum("2 of 5 seeds diverged" in name for name in names) == 1
    assert sum("5 of 5 seeds diverged" in name for name in names) == 1
    plt.close("all")
