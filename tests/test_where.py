"""The part of a run that --where asks for."""

from functools import partial
from pathlib import Path

import pytest
from command_lines import TINY
from frames import cell, frame
from reports import a_run

from experiments.analysis.where import where
from experiments.store import Run

SOBOL, LEAVE = "stratified:scheme=sobol", "score-function:control_variate=leave-one-out"


@pytest.fixture(scope="module")
def run() -> Run:
    names = ("pathwise", "score-function", LEAVE, SOBOL, "stratified:scheme=antithetic")
    problems = ("gaussian-quadratic", "gaussian-cosine:k=3")
    return a_run(frame(*(cell(name, problem, s) for name in names for problem in problems for s in (2, 8))))


def shown(run: Run, *conditions: str) -> set[tuple[str, int]]:
    cells = where(run, conditions).cells
    return set(zip(cells["estimator"], cells["num_samples"], strict=True))


def test_an_estimator_by_its_spec_its_short_name_or_its_name(run: Run):
    assert (
        shown(run, f"estimator={LEAVE},S=8") == shown(run, "estimator=leave-one-out", "num_samples=8") == {(LEAVE, 8)}
    )
    assert {name for name, _ in shown(run, "estimator=stratified")} == {SOBOL, "stratified:scheme=antithetic"}
    assert {name for name, _ in shown(run, "estimator=score-function")} == {"score-function"}, "as the table names it"
    assert {name for name, _ in shown(run, "estimator=pathwise,estimator=leave-one-out")} == {"pathwise", LEAVE}


def test_options_of_components_with_their_defaults(run: Run):
    assert {name for name, _ in shown(run, "scheme=sobol")} == {SOBOL}
    assert {name for name, _ in shown(run, "control_variate=none")} == {"score-function"}
    assert set(where(run, ["k=3.0"]).cells["problem"]) == {"gaussian-cosine:k=3"}


def test_all_tables_and_the_plan_are_those_of_the_cells(run: Run):
    part = where(run, ["S=8"])
    assert set(part.plan) == set(part.cells["key"]) and len(part.plan) == len(run.plan) / 2


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (["S=7"], r"nothing has num_samples=7 in this run; num_samples may be 2, 8"),
        (["estimator=sobl"], r"estimator may be pathwise, score-function, leave-one-out, stratified:sobol"),
        (["scheme=sobol", "S=3"], r"among the cells that meet the rest; num_samples may be 2, 8"),
        (["sceme=sobol"], r"knows no 'sceme' in this run; did you mean 'scheme'"),
        (["pathwise"], r"takes KEY=VALUE,KEY=VALUE"),
    ],
)
def test_a_filter_that_matches_nothing_says_what_there_is(run: Run, conditions: list[str], said: str):
    with pytest.raises(ValueError, match=said):
        where(run, conditions)


def test_show_plot_and_report_have_the_same_option(gradmark, monkeypatch):
    import experiments.plots
    import experiments.report

    one_kind = partial(experiments.plots.plots_of, kinds=["variance"])
    for module in (experiments.plots, experiments.report):
        monkeypatch.setattr(module, "plots_of", lambda run, *_: one_kind(run))
    gradmark("run", "-e", "pathwise", "-e", "score-function", *TINY)
    part = ("tiny", "--where", "estimator=pathwise")
    code, out, _ = gradmark("show", *part, "--format", "csv", "--columns", "estimator")
    assert code == 0 and out.split() == ["estimator", "pathwise"]
    drawn, reported = (Path(gradmark(verb, *part)[1].strip()) for verb in ("plot", "report"))
    assert drawn.name == "variance-where-estimator=pathwise.png", "a part takes no file of the whole"
    assert reported.name == "report-where-estimator=pathwise.html" and drawn.exists()
    assert ">score-function<" not in reported.read_text() and ">pathwise<" in reported.read_text()
    code, _, err = gradmark("show", "tiny", "--where", "S=3")
    assert code == 2 and "num_samples may be 2" in err and err.count("\n") == 1
