"""The command line as a user meets it: output, exit codes, errors of one line."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from experiments import commands
from experiments.cli import cli
from experiments.store import Store, load

TINY = ("-p", "gaussian-quadratic:dim=2", "-n", "2", "--max-replicates", "640", "--name", "tiny")

ESTIMATOR = '''
"""A pathwise gradient scaled by a constant."""
from dataclasses import dataclass

from estimators import Estimator, register_estimator
from estimators import sample


@register_estimator("scaled-pathwise")
@dataclass(frozen=True)
class ScaledPathwise(Estimator):
    factor: float = {factor}

    def surrogate(self, problem, params, noise):
        return self.factor * problem.cost(sample(problem.distribution(params), noise), params).mean(0)
'''

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


def plugin(folder: Path, text: str, name: str = "mine.py") -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


def test_run_then_run_again(gradmark, tmp_path):
    code, out, err = gradmark("run", "-e", "pathwise", "-e", "score-function", *TINY)
    assert code == 0, err
    assert "score-function" in out and "2 computed now" in err
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert {"results/tiny/results.sqlite", "results/tiny/report.html"} <= files
    assert sum(name.startswith("results/tiny/plots/") for name in files) == 3
    before = load("results/tiny").cells
    code, _, err = gradmark("run", "-e", "pathwise", "-e", "score-function", *TINY)
    assert code == 0 and "nothing to compute" in err
    pd.testing.assert_frame_equal(before, load("results/tiny").cells)


def test_an_unsupported_pair_is_skipped_with_its_reason(gradmark):
    code, _, err = gradmark("run", "-e", "pathwise", "-e", "score-function", "-p", "bernoulli-toy:dim=2", *TINY[2:])
    assert code == 0 and "1 skipped" in err
    code, out, _ = gradmark("show", "tiny", "--columns", "estimator,status,error", "--format", "csv")
    assert code == 0 and "skipped,samples of Bernoulli are not differentiable" in out


def test_a_failing_cell_is_recorded_and_the_others_go_on(gradmark, tmp_path):
    broken = ESTIMATOR.format(factor=1.0).replace(
        "return self.factor *", "raise RuntimeError('no luck')\n        return"
    )
    file = plugin(tmp_path, broken)
    code, _, err = gradmark("run", "-e", "scaled-pathwise", "-e", "pathwise", *TINY, "--plugin", file)
    assert code == 1 and "1 done" in err and "1 failed" in err
    cells = load("results/tiny").cells
    assert list(cells["error"].dropna()) == ["RuntimeError: no luck"]
    plugin(tmp_path, ESTIMATOR.format(factor=1.0))
    code, _, err = gradmark("run", "-e", "scaled-pathwise", "-e", "pathwise", *TINY, "--plugin", file)
    assert code == 0 and "1 computed now" in err, "an edited plug-in is computed anew"


def test_rates_of_a_run(gradmark):
    gradmark("run", "-e", "pathwise", *TINY[:2], "-n", "1,4,16,64", *TINY[4:])
    code, out, _ = gradmark("show", "tiny", "--rates", "--format", "json")
    (row,) = json.loads(out)
    assert code == 0 and abs(row["rate"] + 1) < 4 * row["standard_error"] and row["points"] == 4
    code, out, _ = gradmark("show", "tiny", "--rates")
    assert code == 0 and out.split()[:4] == ["problem", "estimator", "rate", "standard_error"]
    gradmark("run", "-e", "pathwise", *TINY)
    assert gradmark("show", "tiny", "--rates")[0] == 4, "one number of samples has no rate"


def test_what_is_compiled_by_choice_or_not_at_all(gradmark, tmp_path):
    gradmark("run", "-e", "pathwise", *TINY, "--compile", "auto")
    cells = load("results/tiny").cells
    assert set(cells["compile"]) == {False} and not cells.dropna(subset=["compile_seconds"]).shape[0], (
        "too little to be worth it"
    )
    (tmp_path / "compiled.toml").write_text('compile = true\nestimator = "pathwise"\nproblem = "gaussian-quadratic"\n')
    code, _, err = gradmark("run", "compiled.toml", "--compile", "never", "--max-replicates", "640")
    assert code == 0 and set(load("results/compiled").cells["compile"]) == {False}
    code, _, err = gradmark("run", "--compile", "quickstart")
    assert code == 2 and err.count("\n") == 1 and "'always', 'auto', 'never'" in err


def test_costs_of_a_run(gradmark):
    gradmark("run", "-e", "pathwise", *TINY[:2], "-n", "1,100,10000", *TINY[4:])
    code, out, _ = gradmark("show", "tiny", "--costs", "--format", "json")
    (row,) = json.loads(out)
    assert code == 0 and row["along"] == "num_samples" and row["points"] == 3 and 0.5 < row["rate"] < 1.5
    gradmark("run", "-e", "pathwise", *TINY)
    code, _, err = gradmark("show", "tiny", "--costs")
    assert code == 4 and "no costs to fit" in err


def test_signals_of_a_run(gradmark):
    gradmark("run", "-e", "pathwise", *TINY[:2], "-n", "1,2,4,16,64", *TINY[4:])
    code, out, _ = gradmark("show", "tiny", "--signals", "--format", "json")
    rows = json.loads(out)
    assert code == 0 and [row["parameter"] for row in rows] == ["loc", "log_scale"]
    for row in rows:  # the mean of S independent terms
        assert abs(row["rate"] - 0.5) < 4 * row["standard_error"] and row["points"] == 5
    code, out, _ = gradmark("show", "tiny", "--signals", "--least", "4", "--format", "json")
    assert {(row["least"], row["points"]) for row in json.loads(out)} == {(4, 3)}
    assert gradmark("show", "tiny", "--signals", "--least", "16")[0] == 4, "two numbers of samples have no rate"


def test_a_sweep_can_do_without_a_reference(gradmark, tmp_path):
    text = 'name = "free"\nreference = false\nestimator = "pathwise"\nproblem = "gaussian-quadratic:dim=2"\n'
    (tmp_path / "free.toml").write_text(text + "stop = {replicates = 2_000}\ntiming = {enabled = false}\n")
    assert gradmark("run", str(tmp_path / "free.toml"))[0] == 0
    (cell,) = load("results/free").cells.to_dict("records")
    assert (cell["reference"], cell["verdict"]) == ("none", None) and cell["mse"] != cell["mse"]
    assert cell["snr"] > 0 and cell["total_variance"] > 0


def test_variance_at_equal_evaluations_is_shown_where_evaluations_differ(gradmark):
    _, out, _ = gradmark("run", "-e", "pathwise", *TINY)
    assert "evaluations" not in out
    _, out, _ = gradmark("run", "-e", "finite-differences", *TINY)
    assert "variance × evaluations [95 %]" in out
    assert "variance-evaluations.png" in {path.name for path in Path("results/tiny/plots").iterdir()}
    (cell,) = load("results/tiny").cells.to_dict("records")
    assert cell["evaluation_normalized_variance"] == cell["total_variance"] * cell["evaluations"] > 0


def test_dry_run_writes_nothing(gradmark, tmp_path):
    code, out, _ = gradmark("run", "-e", "pathwise", *TINY, "--dry-run")
    assert code == 0 and out.startswith("1 cells, of which 1 are missing")
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_way_is_named(gradmark, tmp_path):
    (tmp_path / "results").touch()
    for more in ([], ["--dry-run"]):
        code, _, err = gradmark("run", "-e", "pathwise", *TINY, *more)
        assert code == 2 and "cannot write results/tiny/results.sqlite" in err and err.count("\n") == 1
    (tmp_path / "results").unlink()
    (tmp_path / "results" / "tiny").mkdir(parents=True)
    (tmp_path / "results" / "tiny" / "plots").touch()
    code, _, err = gradmark("run", "-e", "pathwise", *TINY)
    assert code == 2 and "results/tiny/plots cannot be a folder: a file is in the way; move it away" in err
    (tmp_path / "results" / "tiny" / "report.html").mkdir()
    code, _, err = gradmark("report", "tiny")
    assert code == 2 and "report.html" in err and "Is a directory; check the path" in err and "Errno" not in err


def test_a_damaged_store_is_to_be_moved_away(gradmark, tmp_path):
    (tmp_path / "results" / "tiny").mkdir(parents=True)
    (tmp_path / "results" / "tiny" / "results.sqlite").write_text("key,estimator\n" * 100)
    for arguments in (
        ["show", "tiny"],
        ["run", "-e", "pathwise", *TINY],
        ["run", "-e", "pathwise", *TINY, "--dry-run"],
    ):
        code, out, err = gradmark(*arguments)
        assert (code, out) == (2, "") and "if it is damaged, move it away and run again" in err


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_reader_that_has_seen_enough_is_no_failure(gradmark, form):
    gradmark("run", "-e", "pathwise", *TINY)
    show = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", "show", "tiny", "--format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert show.stdout is not None
    show.stdout.close()
    show.stdout = None
    _, err = show.communicate()
    assert (show.returncode, err) == (0, b"")


def test_show_says_what_it_leaves_out(gradmark, tmp_path):
    broken = "if len(params['loc']) == 1: raise RuntimeError('no luck')\n        return self.factor *"
    file = plugin(tmp_path, ESTIMATOR.format(factor=1.0).replace("return self.factor *", broken))
    code, out, err = gradmark("run", "-e", "scaled-pathwise", "-e", "pathwise", *TINY, "--plugin", file)
    assert code == 1 and "1 done, 0 skipped, 1 failed" in err
    shown, again, err = gradmark("show", "tiny")
    assert shown == 0 and again == out and "failed" in next(row for row in out.splitlines() if "scaled" in row)
    assert err.startswith("2 cells, among them 1 that could not be timed; why: gradmark show tiny --columns ")
    code, out, err = gradmark(*err.split("why: gradmark ")[1].split())
    assert code == 0 and "no luck" in out and not err


def test_show_without_a_measured_cell_says_so(gradmark, tmp_path):
    arguments = ["run", "-e", "pathwise", "-p", "bernoulli-toy:dim=2", *TINY[2:]]
    assert gradmark(*arguments)[0] == 4
    code, out, err = gradmark("show", "tiny")
    assert (code, out) == (0, "") and "1 cells, among them 1 skipped; why:" in err
    with Store.open(tmp_path / "results" / "tiny") as store:
        store.discard(store.states())
    code, out, err = gradmark("show", "tiny")
    assert (code, out) == (4, "") and "1 cells, among them 1 missing (repeat the run)" in err
    assert gradmark("show", "tiny", "--rates")[0] == 4


def test_an_empty_file_is_a_sweep_that_says_too_little(gradmark, tmp_path):
    (tmp_path / "empty.toml").touch()
    code, _, err = gradmark("run", "empty.toml")
    assert code == 2 and "there is no problem: add one as a [[problem]] table" in err


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown", "parquet"])
def test_show_in_every_format(gradmark, form):
    gradmark("run", "-e", "pathwise", *TINY)
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is an extra")
        finished = subprocess.run(
            [sys.executable, "-m", "experiments.cli", "show", "tiny", "--format", form], capture_output=True, check=True
        )
        assert finished.stdout.startswith(b"PAR1")
        return
    code, out, _ = gradmark("show", "tiny", "--format", form)
    assert code == 0
    cells = load("results/tiny").cells
    if form == "json":
        (row,) = json.loads(out)
        assert row["estimator"] == "pathwise"
        assert row["total_variance"] == pytest.approx(cells["total_variance"][0], rel=1e-9)
    else:
        assert "pathwise" in out


def test_plot_and_report(gradmark, tmp_path):
    gradmark("run", "-e", "pathwise", *TINY)
    code, out, _ = gradmark("plot", "tiny", "--kind", "variance", "--format", "svg")
    assert code == 0 and (tmp_path / out.strip()).read_text().startswith("<?xml")
    code, out, _ = gradmark("report", str(tmp_path / "results" / "tiny"))
    assert code == 0 and Path(out.strip()).read_text().lower().startswith("<!doctype html")


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
    assert found["advice"].startswith("Use ") and "score-function" not in found["advice"].split(":")[0]
    assert "leave-one-out" not in found["unsupported"]
    assert all(entry["work_normalized_mse"] for entry in found["ranking"]), "against the measured reference"


def test_rank_puts_the_blind_pathwise_last(gradmark):
    code, out, _ = gradmark("rank", "gaussian-step:dim=2", "-n", "4", "--seconds", "5")
    lines = [line for line in out.splitlines() if "pathwise" in line or "score-function" in line]
    assert code == 0
    assert "biased" in next(line for line in lines if line.split()[0] == "pathwise")
    assert out.splitlines()[2].lstrip().startswith("1")
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


def test_a_run_that_lost_its_workers_ends_in_a_line(gradmark, monkeypatch):
    import experiments.engine

    def lose(*arguments, **options):
        raise experiments.engine.ExecutorLost("lost the Dask scheduler; repeat to go on")

    monkeypatch.setattr(experiments.engine, "run", lose)
    code, out, err = gradmark("run", "-e", "pathwise", *TINY)
    assert (code, out, err) == (1, "", "gradmark: lost the Dask scheduler; repeat to go on\n")


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


def test_an_interrupted_run_says_how_to_go_on(gradmark, monkeypatch):
    import experiments.engine.work

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments.engine.work, "extend", interrupt)
    code, _, err = gradmark("run", "-e", "pathwise", *TINY)
    assert code == 130 and "repeat" in err
    monkeypatch.undo()
