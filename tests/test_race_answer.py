"""What a race says: the table, the advice, ties, the lines of Python and the curves."""

import re

import numpy as np
import pytest
import torch

from estimators import make_problem
from experiments.ranking.answer import Answer
from experiments.ranking.race_answer import RaceAnswer, as_entry
from experiments.ranking.raced import Race, Raced
from experiments.terminal.numbers import plus_minus

NOISE = np.array([0.3, -0.2, 0.1, -0.4, 0.2])


def raced(name: str, last: np.ndarray, *, entry: int = 0, biased: bool = False, learns: bool = False) -> Raced:
    return Raced(name, 4, entry, biased, learns, 0.004, 2e-3, 6_000, np.stack([np.full(5, 200.0), last]))


def told(race: Race, interrupted: bool = False) -> RaceAnswer:
    return RaceAnswer(race, Answer(make_problem("gaussian-quadratic"), [4], [], {}, {}), interrupted)


def race(*runs: Raced, batch: int = 0) -> Race:
    return Race("model", 12.0, np.array([0.0, 12.0]), batch, runs, {})


def test_seeds_that_both_met_cancel() -> None:
    """Far apart seeds, of which each tells the two apart in the same direction; and the same without pairs."""
    first, second = raced("one", 150 + 100 * NOISE), raced("two", 151 + 101 * NOISE)
    shuffled = raced("three", 151 + 101 * NOISE[[3, 0, 4, 1, 2]])
    assert second.over(first).value == pytest.approx(1.0)
    half = 2.7764451 * np.std(NOISE, ddof=1) / 5**0.5
    assert second.over(first).low == pytest.approx(1 - half, rel=1e-6)
    assert not race(first, second).is_tied(second) and race(first, shuffled).is_tied(shuffled)


def test_the_advice_is_in_words() -> None:
    first, second = raced("gumbel-softmax", 152 + NOISE, entry=3, biased=True), raced("disarm", 166 + 2 * NOISE)
    third = raced("arm", 152.01 + NOISE[::-1])
    said = told(race(first, second)).advice
    assert said == (
        "Train with gumbel-softmax: after 12 s it reaches 152.00 ± 0.36, the next, disarm, 166.00 ± 0.72. "
        "It is biased: a longer training may end elsewhere than at the optimum."
    )
    said = told(race(first, third, second)).advice
    assert said.startswith("Train with gumbel-softmax (or arm, which it is not told apart from): after 12 s")
    assert said.endswith("than at the optimum; arm is not told apart from it, and unbiased.")
    said = told(race(raced("arm", 150 + NOISE, entry=1), second)).advice
    assert ". By error × time at the start, disarm comes first: to train from there, what the race has seen" in said
    assert told(race()).advice == "No advice on training: nobody could race."
    assert told(race(raced("arm", np.full(5, np.nan)))).advice == "No advice on training: every racer diverged."


def test_the_table_and_the_document_name_who_diverged() -> None:
    lost = raced("arm", np.array([150.0, np.nan, 150.0, 150.0, 150.0]))
    answer = told(race(raced("disarm", 152 + NOISE, entry=1), lost))
    out = answer.text()
    assert "1 of 5 diverged" in out and "Train with disarm: after 12 s it reaches 152.00 ± 0.36." in out
    found = [as_entry(one, answer.race) for one in answer.race.raced]
    assert [one["estimator"] for one in found] == ["disarm", "arm"]
    assert found[1]["objective"] is None and found[1]["curve"][1][1] is None
    assert not found[1]["tied_with_best"] and found[0]["tied_with_best"]


@pytest.mark.parametrize(("learns", "batch"), [(False, 0), (True, 0), (True, 8)])
def test_the_lines_of_python_train(learns: bool, batch: int) -> None:
    spec = f"score-function:control_variate={'moving-average' if learns else 'leave-one-out'}"
    code = told(race(raced(spec, 152 + NOISE, learns=learns), batch=batch)).code
    torch.manual_seed(0)
    names: dict = {}
    of_data = re.sub(r'make_problem\(".*?"\)', 'make_problem("digits-sbn:latent=2,points=3")', code)
    exec(of_data.replace("range(1000)", "range(2)"), names)
    before = names["problem"].initial_params()
    assert any((before[name] != value).any() for name, value in names["params"].items())
    assert names["estimator"].unlearned is False
    assert ("problem.batch" in code) == bool(batch)


def test_the_curves_are_drawn(tmp_path) -> None:
    from experiments.plots.drawing.training_curves import training_page

    cells, traces = told(race(raced("one", 150 + NOISE), raced("two", 151 + NOISE, entry=1))).frames()
    assert sorted(set((traces["step"] * 2e-3).round(9))) == [0.0, 12.0] and len(traces) == 20
    figure = training_page(cells, traces, "seconds", "seconds", None)
    (axes,) = figure.axes
    ends = [(np.asarray(line.get_xdata())[-1], np.asarray(line.get_ydata())[-1]) for line in axes.lines]
    np.testing.assert_allclose(ends, [(12.0, 150 + np.median(NOISE)), (12.0, 151 + np.median(NOISE))])


@pytest.mark.parametrize(
    ("value", "half", "shown"),
    [
        (152.34, 1.04, "152.3 ± 1.0"),
        (10_152.3, 14.4, "10,152 ± 14"),
        (0.00021, 0.0000123, "0.000210 ± 0.000012"),
        (-3.0, 0.25, "-3.00 ± 0.25"),
        (152.0, float("inf"), "152"),
        (float("nan"), 1.0, ""),
    ],
)
def test_a_value_has_the_digits_that_its_half_width_has(value: float, half: float, shown: str) -> None:
    assert plus_minus(value, half) == shown
