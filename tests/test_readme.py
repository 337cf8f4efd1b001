"""Every block of code in the README does what the README says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.sweep import read_sweep

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", [block for block in blocks("python") if "@register" not in block])
def test_a_script_runs(code, tmp_path):
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_the_sweep_is_valid(tmp_path):
    text = blocks("toml")[0]
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert len(read_sweep(file).cells()) == 3 * 3 * 2


@pytest.mark.parametrize(
    ("decorator", "arguments"),
    [
        ("register_estimator", ["check", "FILE", "-p", "gaussian-quadratic:dim=4"]),
        (
            "register_problem",
            ["run", "-e", "pathwise", "-p", "my-model", "--plugin", "FILE", "--max-replicates", "640"],
        ),
    ],
)
def test_a_plugin_works(decorator, arguments, tmp_path):
    (text,) = [block for block in blocks("python") if f"@{decorator}(" in block]
    file = tmp_path / "mine.py"
    file.write_text(text)
    command = [str(file) if argument == "FILE" else argument for argument in arguments]
    finished = subprocess.run(
        [sys.executable, "-m", "experiments.cli", *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert "passed" in finished.stdout or "my-model" in finished.stdout


@pytest.mark.parametrize(("edit", "code"), [("", 0), ("(first.mean(0) + second.mean(0)) / 2", 3)])
def test_the_workflow_for_an_estimator_of_ones_own(edit: str, code: int, tmp_path):
    """Its commands, in a repository where a pull request changes nothing, or throws half of the samples away."""
    (workflow,), sweep = blocks("yaml"), blocks("toml")[1]
    (estimator,) = [block for block in blocks("python") if "@register_estimator(" in block]
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
    (repository / "sweep.toml").write_text(sweep.replace("[4, 16]", "[4]"))
    (repository / "my_estimator.py").write_text(estimator)
    call("git init -q -b main && git add . && git -c user.name=a -c user.email=a@localhost commit -qm base")
    call("git remote add origin . && git fetch -q origin && git checkout -q -b change")
    (repository / "my_estimator.py").write_text(estimator.replace(edit, "first.mean(0)") if edit else estimator + "\n")
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
    assert compared.returncode == code, compared.stdout + compared.stderr
    assert ("| worse: variance" in (tmp_path / "summary").read_text()) == bool(code)


def test_every_command_of_the_table_exists():
    from experiments.cli import cli

    named = set(re.findall(r"`gradmark (\w+)", README))
    assert named <= set(cli.commands), named - set(cli.commands)
