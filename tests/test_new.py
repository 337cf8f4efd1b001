"""`gradmark new`: what it writes is a good start, and it writes all of it or nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.commands import new

KINDS = ["estimator", "problem", "program", "control-variate"]
"""Each is a component of its own; what --kind makes of a problem is called by its kind."""
OF_PROBLEMS = ["autoencoder", "policy", "simulator"]
TRIED = {
    "estimator": ["check", "my_idea.py", "-p", "gaussian-quadratic:dim=2", "-p", "bernoulli-toy:dim=2,t=0.1"],
    "problem": ["check", "pathwise", "-p", "my-idea", "--plugin", "my_idea.py"],
    "program": ["check", "score-function", "-p", "my-idea", "--plugin", "my_idea.py"],
    "control-variate": [
        *("check", "score-function:control_variate=my-idea", "--plugin", "my_idea.py"),
        *("-p", "gaussian-quadratic:dim=2"),
    ],
}


def made(kind: str, name: str, gradmark) -> tuple[int, str, str]:
    return gradmark("new", *(("problem", name, "--kind", kind) if kind in OF_PROBLEMS else (kind, name)))


def tool(*command: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)


def pytest_in(folder: Path) -> subprocess.CompletedProcess:
    return tool("pytest", "-q", "-rA", "-c", "/dev/null", "-p", "no:cacheprovider", "-W", "error", ".", folder=folder)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_it_works_at_once(kind, gradmark, tmp_path):
    code, out, err = gradmark("new", kind, "my-idea")
    assert code == 0 and out.split() == ["my_idea.py", "test_my_idea.py"]
    assert "next: gradmark" in err and "my_idea.py" in err
    code, out, err = gradmark(*TRIED[kind])
    assert code == 0 and "passed" in out, err


@pytest.mark.parametrize("kind", ["policy", "simulator", pytest.param("autoencoder", marks=pytest.mark.slow)])
def test_a_problem_of_a_kind_is_checked_at_once(kind, gradmark, tmp_path):
    code, out, err = made(kind, "my-idea", gradmark)
    assert code == 0 and out.split() == ["my_idea.py", "test_my_idea.py"]
    assert err == "next: gradmark rank my_idea.py, pytest test_my_idea.py\n"
    code, out, err = gradmark("check", "score-function", "-p", "my_idea.py", "-n", "8", "--seconds", "1")
    assert code == 0 and "my-idea  score-function  unbiased" in out, err


@pytest.mark.slow
@pytest.mark.parametrize("kind", OF_PROBLEMS)
def test_a_problem_of_a_kind_is_ranked_at_once(kind, gradmark, tmp_path):
    made(kind, "my-idea", gradmark)
    code, out, err = gradmark("rank", "my_idea.py", "--seconds", "30", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["advice"].startswith("Use ") and found["reference"] != "none"
    assert not [row for row in found["ranking"] if row["claim"] == "unbiased" and row["verdict"] == "biased"]


def test_a_program_is_a_problem_too(gradmark, tmp_path):
    assert gradmark("new", "problem", "my-idea", "--kind", "program")[0] == 0
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    for file in tmp_path.iterdir():
        file.unlink()
    assert gradmark("new", "program", "my-idea")[0] == 0
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == written


def test_kinds_are_those_of_problems(gradmark, tmp_path):
    code, _, err = gradmark("new", "estimator", "my-idea", "--kind", "policy")
    assert code == 2 and err == "gradmark: --kind is for problems: gradmark new problem my-idea --kind policy\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [*KINDS, *OF_PROBLEMS])
def test_it_is_clean(kind, gradmark, tmp_path):
    """By ruff's own defaults (88 columns), and by this repository's rules (120)."""
    made(kind, "my-idea", gradmark)
    assert "my_idea" in (tmp_path / "test_my_idea.py").read_text()
    assert f"my-{kind}" not in "".join(file.read_text() for file in tmp_path.glob("*.py"))
    rules = ["--select", "E,F,I,B,UP,SIM,RUF", "--ignore", "RUF001,RUF002,RUF003", "--line-length", "120"]
    for command in (
        ["check"],
        ["check", *rules],
        ["format", "--check"],
        ["format", "--check", "--line-length", "120"],
    ):
        found = tool("ruff", *command, "--isolated", "--no-cache", ".", folder=tmp_path)
        assert found.returncode == 0, found.stdout


MISTAKES = {
    "estimator": ("(fixed - self.weight * others)", "(fixed - self.weight * fixed.mean(0))"),
    "problem": ("variance = (2 *", "variance = (1.9 *"),
    "program": ("probs * (1 - probs)", "probs * (1.1 - probs)"),
    "control-variate": ("/ (len(cost) - 1)", "/ len(cost) + cost / len(cost)"),
    "autoencoder": ("self.decode(params, z)", "self.decode(params, z.detach())"),
    "policy": ("yield position**2", "yield 0 * position\n        yield position**2"),
    "simulator": ('(params["loc"] - 1.0)', '(params["loc"] - 2.0)'),
}


@pytest.mark.parametrize("kinds", [KINDS, pytest.param(OF_PROBLEMS, marks=pytest.mark.slow)], ids=["default", "kinds"])
def test_its_test_passes_and_sees_a_mistake(kinds, gradmark, tmp_path):
    """All in one process, which takes seconds to start."""
    for kind in kinds:
        right, wrong = MISTAKES[kind]
        for name in (f"right-{kind}", f"wrong-{kind}"):
            assert made(kind, name, gradmark)[0] == 0
        file = tmp_path / f"wrong_{kind.replace('-', '_')}.py"
        text = file.read_text()
        assert text.count(right) == 1
        file.write_text(text.replace(right, wrong).replace('log_scale": torch.zeros', 'log_scale": 0.5 + torch.zeros'))
    said = pytest_in(tmp_path).stdout
    outcomes = set(re.findall(r"^(PASSED|FAILED|ERROR) \S*?test_(\w+)\.py", said, re.MULTILINE))
    files = [kind.replace("-", "_") for kind in kinds]
    assert {file for found, file in outcomes if found == "FAILED"} == {f"wrong_{file}" for file in files}, said
    assert {f"right_{file}" for file in files} <= {file for found, file in outcomes if found == "PASSED"}
    assert not [file for found, file in outcomes if found == "ERROR"], said


@pytest.mark.parametrize("name", ["MyIdea", "my_idea", "../idea", "1-idea", "class", "test-idea", "", "idea-"])
def test_a_bad_name_is_refused(name, gradmark, tmp_path):
    code, out, err = gradmark("new", "estimator", name)
    assert (code, out) == (2, "") and "like 'my-estimator'" in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("estimator", "pathwise", "the estimator 'pathwise' exists already"),
        ("control-variate", "leave-one-out", "the control variate 'leave-one-out' exists already"),
        ("problem", "random", "would hide the Python module random"),
    ],
)
def test_a_name_that_is_taken_is_refused(kind, name, why, gradmark, tmp_path):
    code, _, err = gradmark("new", kind, name)
    assert code == 2 and why in err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", ["my_idea.py", "test_my_idea.py"])
def test_nothing_is_overwritten(taken, gradmark, tmp_path):
    (tmp_path / taken).write_text("mine")
    code, _, err = gradmark("new", "problem", "my-idea")
    assert code == 2 and f"{taken} exists already" in err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(taken, "mine")]


def test_nothing_half_written_stays(tmp_path):
    first, second = tmp_path / "a.py", tmp_path / "missing" / "b.py"
    with pytest.raises(FileNotFoundError):
        new._write({first: "text", second: "text"})
    assert not list(tmp_path.iterdir())
