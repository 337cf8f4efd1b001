"""`gradmark run` as a user meets it: what it prints, what it goes on from, and what is in its way."""

import json

import pandas as pd
from command_lines import ESTIMATOR, TINY, plugin

from experiments.store import load


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
    (error,) = cells["error"].dropna()
    assert error.startswith("RuntimeError: no luck (") and error.endswith("mine.py:15)")
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


def test_costs_of_a_run(gradmark, full_blocks):
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


def test_a_run_that_lost_its_workers_ends_in_a_line(gradmark, monkeypatch):
    import experiments.engine

    def lose(*arguments, **options):
        raise experiments.engine.ExecutorLost("lost the Dask scheduler; repeat to go on")

    monkeypatch.setattr(experiments.engine, "run", lose)
    code, out, err = gradmark("run", "-e", "pathwise", *TINY)
    assert (code, out, err) == (1, "", "gradmark: lost the Dask scheduler; repeat to go on\n")


def test_an_interrupted_run_says_how_to_go_on(gradmark, monkeypatch):
    import experiments.engine.measure

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments.engine.measure, "extend", interrupt)
    code, _, err = gradmark("run", "-e", "pathwise", *TINY)
    assert code == 130 and "repeat" in err
    monkeypatch.undo()
