"""The board of several runs, on made-up cells: who is in which group, and on which machine."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from bundles import tiny
from documentation import ROOT
from frames import cell, frame
from reports import a_run

from experiments.engine import run
from experiments.ranking.board import Board, boards
from experiments.ranking.order import Ranked, groups
from experiments.statistics import GROUPS, Interval, Work
from experiments.store import Run
from experiments.sweep import sweep_from_flags
from experiments.terminal.progress import silent


def around(value: float) -> tuple[float, float, float]:
    """With an interval of 5 % either way."""
    return value, 0.95 * value, 1.05 * value


def run_of(*cells: dict, machine: str = "Xeon", seconds: float = 1e-3) -> Run:
    """Each cell timed in five rounds."""
    told = frame(*(one | {"device_name": machine} for one in cells))
    rounds = [(key, "latency", i, seconds * (1 + i / 1_000)) for key in told["key"] for i in range(5)]
    timings = pd.DataFrame(rounds, columns=["key", "kind", "round", "seconds"])
    return replace(a_run(told), timings=timings)


def named(board: Board) -> list[list[str]]:
    return [[entry.ranked.estimator for entry in group] for group in board.groups]


def found(runs: dict[str, Run], **wanted: object) -> list[Board]:
    return [one for one in boards(runs) if all(getattr(one, name) == value for name, value in wanted.items())]


PATHWISE = cell("pathwise", num_samples=4, total_variance=around(1.0), mse=around(1.0))
SCORE = cell("score-function", num_samples=4, total_variance=around(1.04), mse=around(1.04))
SPSA = cell("spsa", num_samples=4, total_variance=around(9.0), mse=around(9.0), evaluations=8)


def test_groups_are_ties_with_the_best_and_then_with_the_best_of_the_others():
    values = [5.0, 1.0, 1.04, 5.2, 30.0]
    entries = [Ranked(str(value), Interval(*around(value))) for value in values]
    biased = Ranked("biased", Interval(*around(0.1)), biased=True)
    assert groups([*entries, biased]) == ([[1, 2], [0, 3], [4]], [5])
    assert groups([biased]) == ([], [0]) and groups([]) == ([], [])
    assert groups([Ranked("free", Interval(0.0, 0.0, 0.0))])[0] == [[0]]


def test_all_runs_meet_by_evaluations_and_those_of_a_machine_by_seconds():
    runs = {"one": run_of(PATHWISE, SPSA), "two": run_of(SCORE, machine="EPYC")}
    (all_of_them,) = found(runs, by="evaluations")
    assert named(all_of_them) == [["pathwise", "score-function"], ["spsa"]]
    assert [entry.source for entry in all_of_them.groups[0]] == ["one", "two"] and all_of_them.quantity == "variance"
    assert all_of_them.groups[1][0].ranked.figure.value == pytest.approx(9.0 * 8)
    assert [(one.machine, named(one)) for one in found(runs, by="seconds")] == [
        ("EPYC", [["score-function"]]),
        ("Xeon", [["pathwise"], ["spsa"]]),
    ]
    assert {one.quantity for one in found(runs, by="seconds")} == {"MSE"}


def test_numbers_of_samples_problems_and_dtypes_are_boards_of_their_own():
    other = [PATHWISE | change for change in ({"num_samples": 8}, {"dtype": "float64"}, {"problem": "digits-vae"})]
    cells = [one | {"key": str(index)} for index, one in enumerate([PATHWISE, *other])]
    assert len(found({"one": run_of(*cells)}, by="evaluations")) == 4


def test_the_cell_counts_whose_variance_is_known_best():
    better = SCORE | {"total_variance": 2.0, "total_variance_low": 1.98, "total_variance_high": 2.02}
    (board,) = found({"many": run_of(SCORE | {"replicates": 10**9}), "precise": run_of(better)}, by="evaluations")
    ((entry,),) = board.groups
    assert entry.source == "precise" and entry.ranked.figure.value == pytest.approx(8.0)


def test_noise_is_paired_within_a_run_and_not_with_that_of_another():
    """Somebody may copy the groups of a rival, whose noise would then seem to be his own."""
    groups = np.log(np.random.default_rng(0).gamma(400.0, 1 / 400, GROUPS)) - np.log(GROUPS)

    def with_logs(run: Run, shift: float) -> Run:
        logs = [(key, "total_variance", (groups + shift).tobytes()) for key in run.cells["key"]]
        return replace(run, leave_one_out=pd.DataFrame(logs, columns=["key", "quantity", "logs"]))

    first, second = run_of(PATHWISE), run_of(SCORE)
    both = {"mine": with_logs(first, 0.0), "theirs": with_logs(second, np.log(1.04))}
    (board,) = found(both, by="evaluations")
    assert len(board.groups) == 1, "their intervals overlap"
    one, other = (Work(Interval(*around(x)), groups + np.log(x), np.ones(7), noise="a") for x in (1.0, 1.04))
    assert one.over(other).high < 1 < one.over(replace(other, noise="b")).high


def test_a_plug_in_is_that_of_its_bundle_and_no_code_is_run():
    mine, spec = cell("mine", num_samples=4), "policy-gradient:advantage=(advantages:function=antigravity:fly)"
    (board,) = found({"one": run_of(mine), "two": run_of(mine, cell(spec, num_samples=4))}, by="evaluations")
    assert {name for group in named(board) for name in group} == {"mine (one)", "mine (two)", f"{spec} (two)"}


def test_what_has_no_place_stands_aside_with_the_reason():
    biased, bound = SPSA | {"verdict": "biased"}, SCORE | {"target": "the bound"}
    (board,) = found({"one": run_of(PATHWISE, biased, bound)}, by="evaluations")
    assert named(board) == [["pathwise"]]
    assert {entry.ranked.aside for entry in board.aside} == {"biased", "other objective"}


def test_the_command_ranks_the_bundles_of_a_folder(gradmark, tmp_path):
    community = tmp_path / "results" / "community"
    community.mkdir(parents=True)
    code, _, err = gradmark("board")
    assert code == 2 and "no bundles in results/community; `gradmark bundle RUN` writes one" in err
    (community / "a.zip").write_bytes(tiny(tmp_path).read_bytes())
    code, out, _ = gradmark("board")
    assert code == 4 and not out, "its one cell that was measured does not say its evaluations"
    asked = sweep_from_flags(
        problems=["gaussian-quadratic:dim=2"], estimators=["pathwise", "exact"], max_replicates=640, num_samples="10"
    )
    run(asked, tmp_path / "results" / "own", silent())
    gradmark("bundle", "own", "-o", "results/community/b.zip")
    code, out, _ = gradmark("board", "--format", "markdown")
    assert code == 0 and out.count("### gaussian-quadratic:dim=2, S=10, float32") == 2
    assert "| 1 | pathwise |" in out and "| yardstick | exact |" in out and "| b |" in out
    (community / "<b>[x](y).zip").write_bytes((community / "b.zip").read_bytes())
    code, out, _ = gradmark("board", "--format", "markdown")
    assert "| &#60;b&#62;&#91;x&#93;(y) |" in out and "<b>" not in out, "no text of a bundle is markup"
    first, second = json.loads(gradmark("board", "own", "--format", "json")[1])
    assert (first["by"], second["by"]) == ("evaluations", "seconds") and second["machine"]
    assert first["groups"][0][0]["bundle"] == "own"


WORKFLOW = ROOT / ".github" / "workflows" / "community.yml"
in_a_checkout = pytest.mark.skipif(not WORKFLOW.exists(), reason="the workflows are not a part of the package")

STUB = """#!/bin/sh
echo "$@" >> calls
test "$2" != "results/community/wrong.zip"
"""


@pytest.fixture
def verify_step(tmp_path) -> Callable[..., tuple[int, list[str]]]:
    """The step of the workflow that verifies, in a repository with bundles, where `gradmark` writes down its calls."""
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["verify"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("name") == "verify"]
    stub = tmp_path / "bin" / "gradmark"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)
    environment = os.environ | {"PATH": f"{stub.parent}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": "summary"}

    def call(command: str, **variables: str) -> subprocess.CompletedProcess:
        own = {name: f"a{end}" for name, end in (("GIT_AUTHOR_NAME", ""), ("GIT_AUTHOR_EMAIL", "@b"))}
        own |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in own.items()}
        arguments = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
        return subprocess.run(
            arguments, cwd=tmp_path, env=environment | own | variables, capture_output=True, text=True
        )

    def verified(*bundles: str, trust: str = "", size: int = 10, base: str = "main") -> tuple[int, list[str]]:
        folder = tmp_path / "results" / "community"
        folder.mkdir(parents=True)
        (folder / "before.zip").write_text("was there")
        assert (
            call("git init -q -b main && git add results && git commit -qm base && git checkout -qb change").returncode
            == 0
        )
        for name in bundles:
            (folder / name).write_bytes(b"x" * size)
        call("git add results && git commit -qm bundles")
        done = call(script, BASE=base, TRUST=trust)
        calls = tmp_path / "calls"
        return done.returncode, calls.read_text().splitlines() if calls.exists() else []

    return verified


@in_a_checkout
def test_ci_verifies_what_a_pull_request_adds_and_nothing_else(verify_step):
    assert verify_step("own.zip", "two words.zip", "README.md") == (
        0,
        ["verify results/community/own.zip", "verify results/community/two words.zip"],
    )


@in_a_checkout
def test_ci_fails_where_one_of_them_does(verify_step):
    code, calls = verify_step("own.zip", "wrong.zip", trust="--trust")
    assert code == 1 and calls == [
        "verify results/community/own.zip --trust",
        "verify results/community/wrong.zip --trust",
    ]


@in_a_checkout
def test_ci_fails_where_it_cannot_tell_what_was_added(verify_step):
    assert verify_step("own.zip", base="nowhere") == (128, [])


@in_a_checkout
def test_ci_refuses_a_large_bundle(verify_step):
    assert verify_step("own.zip", size=6_000_000) == (1, [])


@in_a_checkout
def test_ci_trusts_a_commit_and_not_those_that_follow():
    workflow = WORKFLOW.read_text()
    (trust,) = [line for line in workflow.splitlines() if line.strip().startswith("TRUST:")]
    assert "github.event.action == 'labeled' && github.event.label.name == 'trust-plug-ins'" in trust
    assert "pull_request_target" not in workflow and yaml.safe_load(workflow)["permissions"] == {"contents": "read"}


@in_a_checkout
def test_what_is_published_is_kept_by_git():
    kept = (ROOT / "results" / ".gitignore").read_text().splitlines()
    assert {"!community/", "!community/*.zip"} <= set(kept) and (ROOT / "results/community/README.md").exists()
    assert Path(ROOT / "docs/bundles.md").exists()
