"""Every block of code in the README does what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.sweep import read_sweep

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", [block for block in blocks("python") if "@register" not in block])
def test_a_script_runs(code, tmp_path):
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_the_sweep_is_valid(tmp_path):
    (text,) = blocks("toml")
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


def test_every_command_of_the_table_exists():
    from experiments.cli import cli

    named = set(re.findall(r"`gradmark (\w+)", README))
    assert named <= set(cli.commands), named - set(cli.commands)
