"""What a run ends in: the map of work, a sentence for each problem, and what is known of biases."""

import pytest
from frames import cell, frame
from reports import a_run

from experiments.ranking.digest import biases, digest, sentences
from experiments.ranking.stored import rankings
from experiments.ranking.work_map import map_text
from experiments.store import Run

LEAVE = "score-function:control_variate=leave-one-out"


def worked(estimator: str, problem: str, mse: float, **known) -> dict:
    return cell(estimator, problem, work_normalized_mse=(mse, 0.9 * mse, 1.1 * mse), **known)


def run(*cells: dict) -> Run:
    return a_run(frame(*cells))


def told(*cells: dict) -> dict[str, str]:
    found = run(*cells)
    return sentences(found, rankings(found))


TWO = (
    worked("pathwise", "smooth", 2.0, detectable_bias=0.006),
    worked("score-function", "smooth", 40.0, detectable_bias=0.2, verdict="undetermined"),
    worked(LEAVE, "smooth", 10.0, detectable_bias=0.1),
    worked("score-function", "jumps", 50.0, detectable_bias=0.3),
    worked(LEAVE, "jumps", 10.0, num_samples=32, detectable_bias=0.025),
)


def test_the_best_of_each_problem_against_the_plain_one():
    found = told(*TWO)
    assert found["jumps"].startswith("leave-one-out with S = 32, the most tried: 5 [")
    assert found["jumps"].endswith("] times less MSE for the time than score-function; no bias above 2.5 %")
    assert found["smooth"].startswith("pathwise with S = 10: the plain one is the best, with 5 [")
    assert "than leave-one-out; no bias above 0.6 %" in found["smooth"]


def test_a_best_without_noise_has_no_ratio():
    cells = [cell for cell in TWO if cell["problem"] == "smooth"]
    exact = worked("stratified:scheme=sobol", "smooth", 0.0, detectable_bias=1e-5)
    (found,) = told(*cells, exact).values()
    assert "stratified:sobol with S = 10: no noise at all, unlike pathwise; no bias" in found


def test_what_is_not_told_apart_and_what_has_no_place_is_said():
    cells = [worked("pathwise", "a", 1.0), worked("spsa", "a", 1.05), worked("arm", "a", 0.1, verdict="biased")]
    (found,) = told(*cells, cell("arms", "a", timing_status="failed", work_normalized_mse=None)).values()
    assert "(not told apart from it: spsa)" in found and "not ranked: arms (" in found and "arm with" not in found


def test_biases_are_named_and_what_could_hide_is_counted():
    (told,) = biases(frame(*TWO))
    assert told.startswith("No estimator was found biased. In 1 of 5 cells")
    (found,) = biases(frame(*TWO, worked("gumbel-softmax", "jumps", 1.0, verdict="biased")))
    assert found.startswith("Biased somewhere: gumbel-softmax.")


@pytest.mark.parametrize("width", [100, 80, 60])
def test_the_map_fits_and_leaves_out_problems_rather_than_break_a_number(width: int):
    problems = [f"a-problem-of-name-{i}" for i in range(9)]
    cells = [worked(name, problem, mse) for problem in problems for name, mse in (("pathwise", 3.0), (LEAVE, 40.0))]
    text = map_text(rankings(run(*cells)), width)
    assert all(len(line) <= width for line in text.splitlines())
    rows = [line.split() for line in text.splitlines() if line.startswith(("pathwise", "leave-one-out"))]
    assert [set(row[1:]) for row in rows] == [{"1.0"}, {"13"}] and len(rows[0]) == len(rows[1])
    hidden = len(problems) + 1 - len(rows[0])
    assert (f"… and {hidden} problem" in text) == (hidden > 0)


def test_the_digest_of_a_small_sweep_is_read_at_a_glance():
    lines = digest(run(*TWO), 80).splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 80
    assert lines[0].startswith("MSE × time at the best number of samples S")
    assert any(line.startswith("jumps: ") for line in lines)


def test_nothing_is_said_of_a_run_without_cells():
    assert digest(run(), None) == ""
