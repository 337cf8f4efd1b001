"""Where the additions turn up in the packages beside this file, as JSON. `test_additions.py` puts it there and asks."""

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import pages  # pyright: ignore[reportMissingImports]
from click.testing import CliRunner

from estimators import Problem, make_problem
from experiments import load
from experiments.cli import cli
from experiments.commands import check
from experiments.engine import run
from experiments.ranking.candidates import candidates
from experiments.store.columns import records
from experiments.sweep import read_sweep
from experiments.terminal.completion.remembered import continuations, known
from experiments.terminal.progress import narrator

HERE = Path(__file__).parent
RUN = HERE / "run"


def said(*arguments: str) -> str:
    """What a command prints."""
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    return result.stdout


def checked() -> dict[str, list[str]]:
    """What `gradmark check` goes through where no problem is named; nothing is measured."""
    asked: dict[str, list[str]] = {}

    def instead(estimators: list[str], problems: list[Problem], *others: Any, **place: Any) -> Iterator[check.Check]:
        asked.update(estimators=estimators, problems=[one.spec for one in problems])
        yield from ()

    check._checks = instead
    said("check", "my-estimator")
    return asked


def ran() -> dict[str, Any]:
    """A run of the additions, and what is shown of it."""
    with narrator() as progress:
        run(read_sweep(HERE / "sweep.toml"), RUN, progress)
    said("plot", str(RUN), "--kind", "my-figure")
    said("report", str(RUN))
    cells = load(RUN).cells
    return {
        "cells": records(cells.filter(["estimator", "problem", "status", "error", "verdict"])),
        "frame": [*cells.columns],
        "statistic": [*cells["my_statistic"]],
        "csv": said("show", str(RUN), "--format", "csv").splitlines()[0].split(","),
        "plots": [file.name for file in (RUN / "plots").iterdir()],
        "report": (RUN / "report.html").read_text("utf-8"),
    }


def found() -> dict[str, Any]:
    runpy.run_module("benchmarks.cases", run_name="__main__")
    return {
        "list": {kind: [one["name"] for one in listed] for kind, listed in json.loads(said("list", "--json")).items()},
        "rank": {spec: candidates(make_problem(spec), 4).supported for spec in ("my-problem", "linear-gaussian")},
        "check": checked(),
        "pages": {kind: pages.catalogue(kind) for kind in pages.INTRODUCTIONS},
        "schemes": pages.schemes_and_sweeps(),
        "conformance": [str(case) for case in cases.CASES],
        "benchmarks": json.loads((HERE / "benchmarks" / "cases.json").read_text("utf-8")),
        "completion": continuations(known(), "estimator", "stratified:scheme=my"),
        "help": {"gradmark": said("--help"), "plot": said("plot", "--help"), "my-command": said("my-command", "you")},
        "run": ran(),
    }


if __name__ == "__main__":
    json.dump(found(), sys.stdout)
