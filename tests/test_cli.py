"""The command line as a user meets it: output, exit codes, errors of one line."""

import json
import subprocess
import sys
import textwrap

import pytest
from command_lines import ESTIMATOR, plugin

from experiments import commands
from experiments.cli import cli

PROBLEM = '''
"""A user's model without an exact gradient."""
from dataclasses import dataclass

import torch
from torch.distributions import Independent, Normal

from estimators import Problem, register_problem


@register_problem("banana")
@dataclass(frozen=True)
class Banana(Problem):
    bend: float = 0.5

    def initial_params(self):
        return {"loc": torch.ones(2), "log_scale": torch.zeros(2)}

    def distribution(self, params):
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x, params):
        return x[..., 0] ** 2 + (x[..., 1] - self.bend * x[..., 0] ** 2) ** 2
'''


def test_an_empty_file_is_a_sweep_that_says_too_little(gradmark, tmp_path):
    (tmp_path / "empty.toml").touch()
    code, _, err = gradmark("run", "empty.toml")
    assert code == 2 and "there is no problem: add one as a [[problem]] table" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "quickstrat"], "'quickstart'"),
        (["run"], "-e and -p"),
        (["run", "nowhere.toml"], "cannot read nowhere.toml"),
        (["run", "-e", "pathwize", "-p", "gaussian-quadratic"], "did you mean 'pathwise'?"),
        (["run", "-e", "pathwise:from=implicit", "-p", "gaussian-quadratic"], "did you mean 'form'?"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic:dim=many"], "whole number"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic:dim=0"], "at least 1"),
        (["run", "-e", "stratified:base=stratified", "-p", "gaussian-quadratic"], "cannot be the base"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic", "--name", "../out"], "results folder"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic", "-n", "0"], "num_samples"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic", "--device", "tpu"], "'tpu'"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic", "--plugin", "absent.py"], "does not exist"),
        (["show", "absent"], "no results at"),
        (["check", "pathwize"], "did you mean 'pathwise'?"),
        (["rank", "absent.py"], "does not exist"),
        (["check", "pathwise", "-p", "gaussian-quadratic", "--device", "cuda:99"], "not available"),
        (["frobnicate"], "No such command"),
        (["run", "--rtol", "much"], "--rtol"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic", "--device", "cuda:99"], "not available"),
        (["run", "-e", "pathwise", "-p", "gaussian-quadratic", "--device", "cuda:99", "--dry-run"], "not available"),
        (["run", "quickstart", "--seed", "-5"], "--seed"),
        (["check", "pathwise", "--seed", "99999999999999999999"], "--seed"),
        (["rank", "gaussian-quadratic", "--seed", "-5"], "--seed"),
    ],
)
def test_an_error_is_one_line_and_writes_nothing(gradmark, tmp_path, arguments, message):
    code, out, err = gradmark(*arguments)
    assert code == 2
    assert message in err and err.count("\n") == 1 and err.startswith("gradmark: ") and not out
    assert not list(tmp_path.iterdir())


def test_a_file_with_an_unknown_key(gradmark, tmp_path):
    sweep = tmp_path / "mine.toml"
    sweep.write_text('num_sample = 3\n[[estimator]]\nname = "pathwise"\n[[problem]]\nname = "gaussian-quadratic"\n')
    code, _, err = gradmark("run", str(sweep))
    assert code == 2 and "num_sample'" in err and "'num_samples'" in err and err.count("\n") == 1


def test_a_sweep_with_no_cells(gradmark, tmp_path):
    sweep = tmp_path / "none.toml"
    sweep.write_text(
        textwrap.dedent("""
        [[estimator]]
        name = "pathwise"
        [[problem]]
        name = "gaussian-quadratic"
        [[exclude]]
        estimator = "pathwise"
        """)
    )
    code, _, err = gradmark("run", str(sweep))
    assert code == 4 and "no cells" in err


def test_check_refuses_a_gradient_that_is_2_percent_too_large(gradmark, tmp_path):
    file = plugin(tmp_path, ESTIMATOR.format(factor=1.02))
    code, out, err = gradmark("check", file, "-p", "gaussian-quadratic:dim=4")
    assert code == 3 and "REFUTED" in out and "scaled-pathwise" in err
    plugin(tmp_path, ESTIMATOR.format(factor=1.0))
    code, out, _ = gradmark("check", file, "-p", "gaussian-quadratic:dim=4")
    assert code == 0 and "passed" in out


def test_check_says_what_is_undetermined_and_strict_refuses_it(gradmark):
    arguments = ["check", "score-function", "-p", "bernoulli-toy", "--seconds", "0.2"]
    code, out, err = gradmark(*arguments)
    assert code == 0 and "undetermined" in out and "--seconds" in err
    assert gradmark(*arguments, "--strict")[0] == 3


def test_check_of_what_nothing_supports(gradmark):
    code, _, err = gradmark("check", "pathwise", "-p", "bernoulli-toy")
    assert code == 4 and "not differentiable" in err


def test_rank_a_users_model_without_an_exact_gradient(gradmark, tmp_path):
    file = plugin(tmp_path, PROBLEM)
    code, out, err = gradmark("rank", file, "-n", "4", "--seconds", "5", "--json")
    assert code == 0, err
    found = json.loads(out)
    order = [entry["estimator"] for entry in found["ranking"]]
    assert order.index("pathwise") < order.index("score-function")
    assert found["advice"].startswith(("Use ", "No advice: ")) and "score-function" not in found["advice"].split(":")[0]
    assert "leave-one-out" not in found["unsupported"]
    assert all(entry["work_normalized_mse"] for entry in found["ranking"]), "against the measured reference"


def test_rank_puts_the_blind_pathwise_last(gradmark):
    code, out, _ = gradmark("rank", "gaussian-step:dim=2", "-n", "4", "--seconds", "5")
    lines = [line for line in out.splitlines() if "pathwise" in line or "score-function" in line]
    assert code == 0
    assert next(line.split() for line in lines if " pathwise " in line)[0] == "biased"
    assert out.splitlines()[3].lstrip().startswith("1 ")
    assert "pathwise" not in out.splitlines()[-1].split(":")[0]


def test_list_as_text_and_json(gradmark):
    code, out, _ = gradmark("list", "estimators")
    assert code == 0 and "stratified" in out and "scheme=latin-hypercube" in out
    code, out, _ = gradmark("list", "--json")
    found = json.loads(out)
    assert {"estimators", "problems", "control-variates", "schemes", "sweeps"} == set(found)
    scheme = next(entry for entry in found["estimators"] if entry["name"] == "stratified")["options"]["scheme"]
    assert scheme["default"] == "latin-hypercube" and "sobol" in scheme["choices"]
    assert all(entry["summary"] for entries in found.values() for entry in entries)


def test_doctor(gradmark):
    code, out, _ = gradmark("doctor")
    assert "plug-ins" in out and " estimators, " in out and "extras" in out and "command_line" not in out
    assert code == 0 and "exact 16" in out and "torch" in out


def test_doctor_says_what_an_extra_is_for_and_how_to_get_it(gradmark, monkeypatch):
    from experiments.commands import doctor

    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(doctor.CHECKS, "a known variance", lambda: 1 / 0)
    code, out, _ = gradmark("doctor")
    assert "pip install 'gradmark[cluster]' for --scheduler" in out
    assert code == 1 and "ZeroDivisionError: division by zero" in out and "report this" in out


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in cli.commands)], ids=" ".join)
def test_help_imports_nothing_that_takes_long(words):
    script = f"import sys; from experiments.cli import cli; cli({words}, standalone_mode=False)"
    command = [sys.executable, "-c", f"{script}; print({{*sys.modules}} & {{'torch', 'numpy', 'pandas', 'rich'}})"]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert told.startswith("Usage:") and told.endswith("\nset()\n")


def test_a_file_adds_a_verb(gradmark, monkeypatch, tmp_path):
    """It is imported to run, and not to be listed."""
    text = """
        \"""`gradmark greet`: say hello to NAME.\"""
        import click

        @click.command("greet")
        @click.argument("name")
        def command(name):
            click.echo(f"hello {name}")
            return 4
    """
    (tmp_path / "greeting.py").write_text(textwrap.dedent(text).lstrip())
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    code, out, _ = gradmark("--help")
    assert code == 0 and "\n  greet       Say hello to NAME.\n" in out
    assert gradmark("greets")[2].startswith("gradmark: No such command 'greets'. Did you mean 'greet'?")
    assert "experiments.commands.greeting" not in sys.modules
    assert gradmark("greet", "you") == (4, "hello you\n", "")
    assert sys.modules.pop("experiments.commands.greeting")
