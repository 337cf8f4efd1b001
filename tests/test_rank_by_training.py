"""`gradmark rank --by training`, and `race` in Python: what they print, and where a problem begins."""

import json

import pytest
import torch
from contests import timeless
from races import steps_alone_take_time

from estimators import Problem, make_problem
from estimators.registry import components
from estimators.registry.registration import tables
from experiments import race
from experiments.ranking import candidates
from experiments.ranking.laps import Run
from experiments.ranking.raced import Race

FEW = ("pathwise", "score-function")
QUADRATIC = "gaussian-quadratic:dim=2"
RACE = ("rank", QUADRATIC, "-n", "4", "--by", "training", "--seconds", "0.6")


@pytest.fixture
def few(gradmark, monkeypatch):
    """The command line with two estimators, without a clock."""
    monkeypatch.setattr(candidates, "same_estimates", lambda *_: True)
    monkeypatch.setitem(tables, "estimator", {name: components("estimator")[name] for name in FEW})
    monkeypatch.setitem(tables, "control variate", {"none": components("control variate")["none"]})
    timeless(monkeypatch)
    steps_alone_take_time(monkeypatch, {"pathwise": 1e-3, "score-function": 2e-3})
    return gradmark


def test_the_best_few_train_and_the_curves_are_drawn(few, tmp_path):
    code, out, err = few(*RACE, "--figure", str(tmp_path / "curves.png"), "--after", "3")
    assert code == 0, err
    assert f"{QUADRATIC}, after 3 steps, after" in out and "Train with pathwise" in out and "above the first" in out
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG") and "wrote" in err
    code, out, _ = few(*RACE, "--json")
    found = json.loads(out, parse_constant=pytest.fail)
    assert code == 0 and found["by"] == "training" and len(found["race"]) == 2 and len(found["ranking"]["ranking"]) == 2
    assert found["race"][0]["estimator"] == "pathwise" and found["code"][-1] == "    optimiser.step()"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--evaluations", "100"), "--by training takes --seconds"),
        (("--figure", "curves.gif"), "must end in .png, .svg or .pdf, not curves.gif"),
        (("--figure", "curves.png", "--by", "seconds"), "--figure draws the curves of --by training"),
        (("--after", "3", "--state", "mine.pt"), "two places to begin at"),
        (("--state", "absent.pt"), "state file absent.pt does not exist"),
    ],
)
def test_options_that_do_not_go_together(few, options, said):
    code, out, err = few(*RACE, *options)
    assert code == 2 and not out and said in err and len(err.strip().splitlines()) == 1


def test_an_interrupted_race_leaves_the_ranking(few, monkeypatch):
    def interrupted(self: Run, clock: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "drive", interrupted)
    code, out, _ = few(*RACE)
    assert code == 130 and "Use pathwise" in out and "No advice on training: interrupted before the race." in out


def test_a_hint_says_where_the_problem_begins(few, tmp_path, monkeypatch):
    """That a bias is not excluded, and how to look closer."""
    point = {"loc": torch.ones(2), "log_scale": torch.zeros(2)}
    torch.save(point, tmp_path / "mine.pt")
    from experiments.ranking.answer import _as_options

    begun = [make_problem(QUADRATIC), *_begun(tmp_path / "mine.pt")]
    assert [_as_options(problem) for problem in begun] == [
        f"-p '{QUADRATIC}'",
        f"-p '{QUADRATIC}' --after 2",
        f"-p '{QUADRATIC}' --state FILE",
    ]


def _begun(file) -> list[Problem]:
    from experiments import started_after, started_from

    return [started_after(make_problem(QUADRATIC), 2), started_from(make_problem(QUADRATIC), file)]


def test_in_python_it_is_an_answer_to_print(few):
    answer = race(make_problem(QUADRATIC), 4, seconds=0.6)
    assert isinstance(answer.race, Race) and answer.race.raced[0].estimator == "pathwise"
    assert "Train with pathwise" in str(answer) == answer.text()
    assert not answer.interrupted and answer.ranking.ranking[0].estimator == "pathwise"
