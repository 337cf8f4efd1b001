"""What a report says first: what is best where, and what was measured."""

from frames import frame
from reports import a_run
from test_digest import LEAVE, TWO, worked

from experiments.ranking.stored import rankings
from experiments.ranking.work_map import map_table
from experiments.report.heading import headline, subject
from experiments.terminal.labels import labels


def said(*cells: dict) -> str:
    return headline(rankings(a_run(frame(*cells))), labels([LEAVE, "pathwise", "score-function", "spsa"]))


def test_the_headline_names_who_is_best_on_most_problems() -> None:
    assert said(*TWO) == "No estimator has the smallest error for the time on more than 1 of 2 problems"
    more = [worked(name, "steps", mse) for name, mse in ((LEAVE, 1.0), ("score-function", 2.0))]
    assert said(*TWO, *more) == "leave-one-out has the smallest error for the time on 2 of 3 problems"
    assert said(*TWO[3:], *more) == "leave-one-out has the smallest error for the time on all 2 problems"
    assert said(*more) == "leave-one-out has the smallest error for the time on steps"


def test_there_is_none_where_nothing_was_compared() -> None:
    assert said(worked("pathwise", "alone", 1.0)) == said() == ""
    assert said(*(worked(name, "a", 1.0, verdict="biased") for name in ("pathwise", "spsa"))) == ""


def test_the_subject_counts_what_was_measured() -> None:
    told = subject(a_run(frame(*TWO)))
    assert told.startswith("Bias, variance and wall-clock time of 3 estimators of Monte Carlo gradients on 2 problems")
    assert "S = 10 and 32 samples for one gradient, float32" in told and subject(a_run(frame())) == ""


def test_the_best_of_a_problem_is_coldest_also_where_it_has_no_noise() -> None:
    exact = worked("spsa", "smooth", 0.0)
    table = map_table(rankings(a_run(frame(*TWO, exact))))
    assert table is not None
    heat = {row[0]: places for row, places in zip(table.rows, table.heat, strict=True)}
    assert heat["spsa"] == ["0", ""] and heat["pathwise"] == ["1", ""] and heat["score-function"] == ["2", "1"]
