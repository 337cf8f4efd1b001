"""Every block of code in the README and in docs/ does what the page says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from documentation import ROOT, blocks

from estimators.registry import Kind, components
from experiments.cli import cli

PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]
RUN = [page for page in PAGES if page != "docs/modelling.md"]
"""The blocks of the other, whose rankings take minutes, are run by `test_modelling.py`."""
# Installing, and what needs other machines.
NOT_RUN = re.compile(r"python3 -m venv|\.venv/bin/pip|dask |.* --scheduler ")
CHEAP = {
    "run": ["--max-replicates", "640"],
    "rank": ["--seconds", "3"],
    "check": ["-p", "gaussian-quadratic:dim=2"],
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def script(*arguments: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def program(text: str, page: str) -> None:
    """As a script of its own, in this process: to start another takes longer than most of them."""
    with torch.random.fork_rng():
        exec(compile(text, page, "exec"), {"__name__": "__main__"})


def command(line: str, gradmark, folder: Path) -> None:
    if NOT_RUN.match(line):
        return
    called, *arguments = shlex.split(line, comments=True)
    if called == "pytest":
        script("-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", *arguments, folder=folder)
        return
    assert called == "gradmark", line
    cheap = [] if "training.toml" in arguments else CHEAP.get(arguments[0], [])
    code, _, err = gradmark(*arguments, *cheap)
    assert code == 0, f"{line}: {err}"


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run_in_turn(page, gradmark, tmp_path):
    for language, title, text in blocks(page):
        if title:
            (tmp_path / title).write_text(text)
        elif language == "python":
            program(text, page)
        elif language == "sh":
            for line in text.splitlines():
                command(line, gradmark, tmp_path)
        else:
            assert language == "yaml", f"a block of {language or 'no language'} that nothing runs"


def titled(page: str, title: str) -> str:
    (text,) = [block.text for block in blocks(page) if block.title == title]
    return text


def test_the_sweep_of_the_readme_is_the_grid_that_it_says(gradmark, tmp_path):
    (tmp_path / "mine.toml").write_text(titled("README.md", "mine.toml"))
    code, out, _ = gradmark("run", "mine.toml", "--dry-run")
    assert code == 0 and out.startswith(f"{3 * 3 * 2} cells")


def test_every_key_of_a_sweep_is_documented():
    import msgspec

    from experiments.sweep import Sweep

    text = titled("docs/sweeps.md", "everything.toml") + titled("docs/sweeps.md", "training.toml")
    keys = {field.name for field in msgspec.structs.fields(Sweep)} - {"name", "experiment"}
    assert {key for key in keys if not re.search(rf"^(\[+{key}\]+|{key} =)", text, re.MULTILINE)} == set()


def test_the_estimator_of_the_readme_keeps_its_claim(gradmark, tmp_path):
    (tmp_path / "my_estimator.py").write_text(titled("README.md", "my_estimator.py"))
    code, out, err = gradmark("check", "my_estimator.py", "-p", "gaussian-quadratic:dim=4")
    assert code == 0 and "passed" in out, err


def test_the_model_of_the_readme_is_measured(gradmark, tmp_path):
    (tmp_path / "my_model.py").write_text(titled("README.md", "my_model.py"))
    arguments = ["-e", "pathwise", "-p", "my-model", "--plugin", "my_model.py", "--max-replicates", "640"]
    code, out, err = gradmark("run", *arguments)
    assert code == 0 and "my-model" in out, err


def test_the_mistake_of_the_tutorial_is_seen(gradmark, tmp_path):
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    mistake = re.search(r"`others = …` by `(others = .+?)`", text)
    gradmark("new", "estimator", "my-idea")
    file = tmp_path / "my_idea.py"
    edited, count = re.subn("others = .*", mistake[1] if mistake else "", file.read_text())
    assert count == 1
    file.write_text(edited)
    assert gradmark("check", "my_idea.py", "-p", "gaussian-quadratic:dim=2")[0] == 3


def test_the_workflow_for_an_estimator_of_ones_own(gradmark, tmp_path):
    """Its commands, in a repository where a pull request throws half of the samples away; then as if it had not."""
    workflow = next(block.text for block in blocks("docs/sweeps.md") if block.language == "yaml")
    gradmark("new", "estimator", "my-estimator")
    estimator = (tmp_path / "my_estimator.py").read_text()
    repository = tmp_path / "project"

    def call(command: str) -> subprocess.CompletedProcess:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {
            "PATH": path,
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        }
        command = f"set -eo pipefail\n{command}"
        return subprocess.run(["bash", "-c", command], cwd=repository, env=environment, capture_output=True, text=True)

    repository.mkdir()
    sweep = titled("docs/sweeps.md", "sweep.toml").replace("[4, 16]", "[4]").replace(', "gaussian-cosine:dim=4"', "")
    (repository / "sweep.toml").write_text(f"{sweep}stop = {{replicates = 20_480}}\ntiming = {{rounds = 1}}\n")
    (repository / "my_estimator.py").write_text(estimator)
    call("git init -q -b main && git add . && git -c user.name=a -c user.email=a@localhost commit -qm base")
    call("git remote add origin . && git fetch -q origin && git checkout -q -b change")
    assert estimator.count("(cost + term)") == 1
    (repository / "my_estimator.py").write_text(estimator.replace("(cost + term)", "(cost + term)[::2]"))
    call("git -c user.name=a -c user.email=a@localhost commit -qam change")
    commands = [
        step["run"]
        for step in yaml.safe_load(workflow)["jobs"]["compare"]["steps"]
        if "gradmark" in step.get("run", "")
    ]
    *runs, comparison = [command for command in commands if not command.startswith("pip ")]
    for command in runs:
        done = call(command)
        assert done.returncode == 0, done.stderr
    compared = call(comparison)
    assert compared.returncode == 3, compared.stdout + compared.stderr
    assert "| worse: variance" in (tmp_path / "summary").read_text()
    before = str(repository / "results" / "before")
    code, out, err = gradmark("compare", before, before, "--fail-on", "regression", "--format", "markdown")
    assert code == 0 and "| worse" not in out, out + err


def test_every_estimator_and_control_variate_is_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition("## What is in it")[2].partition("## In Python")[0]
    left_out: dict[Kind, set[str]] = {"estimator": {"exact"}, "control variate": {"none"}}
    for kind, unnamed in left_out.items():
        shipped = {name for name, cls in components(kind).items() if cls.__module__.startswith("estimators.")}
        assert not {name for name in shipped - unnamed if f"`{name}`" not in section}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists(page):
    named = set(re.findall(r"`gradmark ([a-z]+)", (ROOT / page).read_text("utf-8")))
    assert named <= set(cli.commands), named - set(cli.commands)
