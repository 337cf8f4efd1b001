"""`gradmark compare` on two runs of a plug-in: its tables and its exit codes."""

import json
from pathlib import Path

import pytest
from processes import own_tables

from experiments.engine import run
from experiments.sweep import read_sweep
from experiments.terminal.progress import narrator

MINE = """
from dataclasses import dataclass
from estimators import Estimator, register_estimator
from estimators import sample

@register_estimator("mine")
@dataclass(frozen=True)
class Mine(Estimator):
    def surrogate(self, problem, params, noise):
        return problem.cost(sample(problem.distribution(params), noise), params)[:].mean(0)
"""

SWEEP = """
estimator = ["mine", "pathwise", "score-function"]
problem = ["gaussian-quadratic:dim=2"]
num_samples = [4]
plugins = ["mine.py"]
stop = { replicates = 20000 }
timing = { enabled = false }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, `before`, and `after` with half the samples thrown away, one of something else, and one of less."""
    folder = tmp_path_factory.mktemp("compare")
    other = SWEEP.replace("quadratic:dim=2", "cosine:dim=1")
    half = MINE.replace("[:]", "[::2]")
    fewer = SWEEP.replace('"mine", ', "")
    made = (("before", SWEEP, MINE), ("after", SWEEP, half), ("other", other, half), ("fewer", fewer, MINE))
    for name, sweep, mine in made:
        (folder / f"{name}.toml").write_text(sweep)
        (folder / "mine.py").write_text(mine)
        with narrator() as progress, own_tables():
            run(read_sweep(folder / f"{name}.toml"), folder / "results" / name, progress)
    return folder


@pytest.fixture
def compared(made, gradmark, monkeypatch):
    """Runs `gradmark compare` where these runs are."""
    monkeypatch.chdir(made)
    return lambda *arguments: gradmark("compare", *arguments)


def test_a_regression_ends_with_3_where_asked(compared):
    code, out, _ = compared("before", "after", "--fail-on", "regression")
    lines = out.splitlines()
    assert code == 3 and lines[1].startswith("worse: variance") and " mine " in lines[1], out
    assert "3 cells in both runs: 1 worse, 0 better beyond a factor of 1.5 at p < 0.001" in lines
    assert compared("before", "after")[0] == 0
    assert compared("before", "after", "--fail-on", "regression", "--threshold", "9")[0] == 0
    assert compared("after", "before", "--fail-on", "regression")[0] == 0


def test_markdown_is_one_table_and_json_is_complete(compared):
    _, out, _ = compared("before", "after", "--format", "markdown")
    table = [line for line in out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 3 and len({line.count("|") for line in table}) == 1
    found = json.loads(compared("before", "after", "--format", "json")[1])
    (mine,) = [one for one in found["cells"] if one["estimator"] == "mine"]
    assert mine["worse"] == ["variance"] and 1.8 < mine["variance"]["ratio"] < 2.2
    assert set(mine) >= {"bias", "evaluations", "state_before", "state_after", "failure"}


def test_nothing_in_common_ends_with_4(compared):
    code, out, _ = compared("before", "other", "--fail-on", "regression")
    assert code == 4 and "0 cells in both runs" in out and "3 vanished: mine on gaussian-quadratic:dim=2, S=4; " in out


def test_cells_that_are_not_measured_again_fail_the_gate(compared):
    """An estimator that is no longer measured is not known to be as good; a renamed one is allowed to vanish."""
    code, out, err = compared("before", "fewer", "--fail-on", "regression")
    assert code == 3 and "1 vanished: mine on gaussian-quadratic:dim=2, S=4" in out
    said = "1 cells of the first run were not measured in the second: repeat the second run, or --allow-vanished"
    assert err == f"gradmark: {said}\n"
    assert compared("before", "fewer", "--fail-on", "regression", "--allow-vanished")[0::2] == (0, "")
    assert compared("before", "fewer")[0::2] == (0, "")
    assert compared("fewer", "before", "--fail-on", "regression")[0] == 0, "a new cell is no regression"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["before", "nowhere"], "no results at results/nowhere"),
        (["before", "after", "--threshold", "1"], "--threshold must be a finite ratio above 1"),
        (["before", "after", "--threshold", "nan"], "--threshold must be a finite ratio above 1"),
        (["before", "after", "--significance", "0"], "--significance must lie between 0 and 1"),
        (["before", "after", "--fail-on", "anything"], "'regression'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(compared, arguments, message):
    code, out, err = compared(*arguments)
    assert code == 2 and message in err and err.count("\n") == 1 and not out
