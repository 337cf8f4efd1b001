"""What an addition costs: one file, put into a copy of the packages, appears wherever it should.

The files stand in `additions/`, in the rooms that they are for; three are the templates of `gradmark new`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import test_rooms

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "experiments" / "commands" / "templates"
ROOMS = {"estimator": "estimators/discrete", "control_variate": "estimators/control_variates"}
ROOMS |= {"problem": "experiments/problems"}
"""A template knows no room: any that is walked will do."""
STATISTIC = [
    (
        "store/columns.py",
        '    Column("kurtosis"',
        '    Column("my_statistic", "statistics", "REAL", "my heading", form=number),',
    ),
    ("measuring/measurement.py", "    kurtosis: float", "    my_statistic: float"),
    ("measuring/summary.py", "        kurtosis=", "        my_statistic=my_statistic(groups),"),
    ("measuring/summary.py", "__all__", "from experiments.statistics.my_statistic import my_statistic"),
]
"""What makes a function in `statistics/` a figure of a cell: its row, its field and its call, each before another."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages with all additions."""
    folder = tmp_path_factory.mktemp("house")
    for package in ("estimators", "experiments", "benchmarks"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "peers"))
    for file in ("tests/cases.py", "docs/pages.py", "CONTRIBUTING.md"):
        shutil.copy(ROOT / file, folder)
    shutil.copytree(Path(__file__).with_name("additions"), folder, dirs_exist_ok=True)
    for kind, room in ROOMS.items():
        shutil.copy(TEMPLATES / f"{kind}.py", folder / room / f"my_{kind}.py")
    for name, beside, line in STATISTIC:
        file = folder / "experiments" / name
        text = file.read_text("utf-8")
        assert text.count(f"\n{beside}") == 1, name
        file.write_text(text.replace(f"\n{beside}", f"\n{line}\n{beside}"), "utf-8")
    return folder


def found(house: Path) -> dict[str, Any]:
    """What the packages in the copy know, from one process: starting one takes longer than all else."""
    environment = os.environ | {"PYTHONPATH": str(house), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, str(house / "found.py")]
    done = subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_file_appears_wherever_it_should(house: Path, subtests: pytest.Subtests) -> None:
    known = found(house)
    for kind in KINDS:
        with subtests.test(kind.__name__):
            kind(known)


def an_estimator(known: dict[str, Any]) -> None:
    appears("my-estimator", "estimators", known)
    assert "my-estimator" in known["rank"]["my-problem"] and "my-estimator" in known["check"]["estimators"]
    assert "my-estimator@my-problem@4" in known["conformance"] and "my-estimator" in known["benchmarks"]
    unbiased("my-estimator", known)


def a_bound(known: dict[str, Any]) -> None:
    appears("my-bound", "estimators", known)
    assert "my-bound" in known["rank"]["linear-gaussian"] and "my-bound" not in known["rank"]["my-problem"]
    assert any(case.startswith("my-bound@") for case in known["conformance"])
    assert known["benchmarks"]["my-bound"] == ["linear-gaussian:dim=2,points=2"]


def a_control_variate(known: dict[str, Any]) -> None:
    appears("my-control-variate", "control-variates", known)
    spec = "score-function:control_variate=my-control-variate"
    assert spec in known["rank"]["my-problem"] and spec in known["benchmarks"]
    assert f"{spec}@my-problem@4" in known["conformance"]
    unbiased(spec, known)


def a_scheme(known: dict[str, Any]) -> None:
    spec = "stratified:scheme=my-scheme"
    assert "my-scheme" in known["list"]["schemes"] and "`my-scheme`" in known["schemes"]
    assert known["completion"] == [spec]
    assert spec in known["rank"]["my-problem"] and spec in known["benchmarks"]
    assert f"{spec}@my-problem@4" in known["conformance"]
    unbiased(spec, known)


def a_problem(known: dict[str, Any]) -> None:
    for name in ("my-problem", "of-my-distribution"):
        appears(name, "problems", known)
        assert name in known["check"]["problems"]
        assert f"pathwise@{name}@4" in known["conformance"]


def a_distribution(known: dict[str, Any]) -> None:
    """Sampled, differentiated and scored, by what asks for its forms, its density and its weak derivative."""
    for spec in ("pathwise", "my-estimator", "measure-valued"):
        unbiased(spec, known)
        assert f"{spec}@of-my-distribution@4" in known["conformance"]


def a_figure(known: dict[str, Any]) -> None:
    assert "my-figure" in known["help"]["plot"] and known["run"]["plots"] == ["my-figure.png"]
    assert "The title of my figure" in known["run"]["report"]


def a_command(known: dict[str, Any]) -> None:
    assert "\n  my-command  Say hello to NAME.\n" in known["help"]["gradmark"]
    assert known["help"]["my-command"] == "hello you\n"


def a_statistic(known: dict[str, Any]) -> None:
    assert "my_statistic" in known["run"]["csv"] and "my_statistic" in known["run"]["frame"]
    assert all(value > 0 for value in known["run"]["statistic"])
    assert "my heading" in known["run"]["report"]


KINDS = [
    an_estimator,
    a_bound,
    a_control_variate,
    a_scheme,
    a_problem,
    a_distribution,
    a_figure,
    a_command,
    a_statistic,
]


def appears(name: str, kind: str, known: dict[str, Any]) -> None:
    """A component is listed and in the catalogue."""
    assert name in known["list"][kind] and f"## {name}\n" in known["pages"][kind]


def unbiased(estimator: str, known: dict[str, Any]) -> None:
    """It was measured on both problems of the additions, and no bias was seen."""
    cells = [cell for cell in known["run"]["cells"] if cell["estimator"] == estimator]
    assert [cell["problem"] for cell in cells] == ["my-problem", "of-my-distribution"]
    assert all(cell["status"] == "done" and cell["verdict"] != "biased" for cell in cells), cells


@pytest.mark.parametrize("package", ["estimators", "experiments"])
def test_the_files_keep_to_the_order_of_the_rooms(package: str, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_rooms, "ROOT", house)
    test_rooms.test_no_room_imports_from_a_later_one(package)
