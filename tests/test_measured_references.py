"""Gradients that are measured where no formula gives them: once, by whom, and where they are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from measurements import Custom, estimated, numbers, work
from torch import Tensor
from torch.distributions import Normal

from estimators.interface import EXPECTED_COST, Params
from experiments import statistics
from experiments.gradients.workload import Workload
from experiments.machine.caching import cache_folder
from experiments.measuring import find_reference as reference
from experiments.measuring import long_run, reference_race
from experiments.measuring.find_reference import find_reference
from experiments.measuring.reference import Reference
from experiments.measuring.reference_race import Race
from experiments.statistics import GROUPS


@pytest.fixture
def short_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """References of 1024 replicates in a cache of their own; yields which estimators took part in measuring them."""
    runs: list[str] = []
    original = Race.enter

    def enter(race: Race, workload: Workload, spec: str) -> None:
        runs.append(spec)
        original(race, workload, spec)

    monkeypatch.setattr(long_run, "ELEMENTS", 1)
    monkeypatch.setattr(Race, "enter", enter)
    monkeypatch.setattr(reference, "_uncached", {})
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    yield runs


def test_a_problem_without_an_exact_gradient_gets_a_measured_one(short_reference: list[str], tmp_path: Path) -> None:
    assert cache_folder() == tmp_path
    found = estimated(work("score-function", Custom()), replicates=50_000)
    assert found.reference == "measured" and short_reference == list(EXPECTED_COST.measured_by)
    assert found.reference_gradient is not None and found.squared_bias is not None
    # 1024 replicates of 64 pathwise samples, each of variance 4.
    assert np.abs(found.reference_gradient["loc"] - 2).max() < 5 * np.sqrt(4 / 1024 / 64)
    assert found.verdict != "biased" and found.squared_bias.low <= 0 <= found.squared_bias.high


def test_a_measured_reference_is_measured_once(short_reference: list[str], tmp_path: Path) -> None:
    first = estimated(work("pathwise", Custom()), replicates=1024)
    count = len(short_reference)
    assert len(list(tmp_path.rglob("*.npz"))) == 1 and not list(tmp_path.rglob("*.tmp"))
    again = estimated(work("pathwise", Custom()), replicates=1024)
    assert len(short_reference) == count
    assert numbers(first) == numbers(again)


@pytest.mark.parametrize("damage", [b"", b"garbage", b"PK\x03\x04"])
def test_a_damaged_cache_is_measured_anew(short_reference: list[str], tmp_path: Path, damage: bytes) -> None:
    first = estimated(work("pathwise", Custom()), replicates=1024)
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(damage)
    assert numbers(estimated(work("pathwise", Custom()), replicates=1024)) == numbers(first)
    assert np.load(file)["groups"].shape == (GROUPS, 2)


def test_a_reference_of_any_number_of_elements(short_reference: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """How many replicates those make depends on the event size: here 7812, which 64 does not divide."""
    monkeypatch.setattr(long_run, "ELEMENTS", 1_000_000)
    assert estimated(work("pathwise", Custom()), replicates=1024).reference == "measured"


def test_a_cache_that_cannot_be_written_is_no_error(
    short_reference: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path / "file"))
    assert estimated(work("pathwise", Custom()), replicates=1024).reference == "measured"


def test_other_data_have_another_reference(short_reference: list[str], tmp_path: Path) -> None:
    """A file whose contents changed under the same name must not meet the reference of the old contents."""
    file = tmp_path / "centre.txt"
    for centre in (0.0, -3.0):
        file.write_text(str(centre))
        found = estimated(work("pathwise", Custom(str(file))), replicates=20_032)
        assert found.reference_gradient is not None
        assert found.reference_gradient["loc"] == pytest.approx(2 * (1 - centre), abs=1)
        assert found.verdict != "biased"


def test_an_edited_class_of_a_notebook_has_another_reference(short_reference: list[str]) -> None:
    """Its source cannot be read, so that nothing tells one version from the next."""
    for factor in (1.0, 3.0):
        namespace: dict[str, Any] = {"Custom": Custom, "dataclass": dataclass, "__name__": "notebook", "factor": factor}
        cell = "@dataclass(frozen=True)\nclass Mine(Custom):\n    def cost(self, x, params):\n"
        exec(cell + "        return factor * super(Mine, self).cost(x, params)", namespace)
        found = estimated(work("pathwise", namespace["Mine"]()), replicates=20_032)
        assert found.reference_gradient is not None
        assert found.reference_gradient["loc"] == pytest.approx(2 * factor, abs=1)


def test_the_lowest_variance_measures_the_reference(short_reference: list[str]) -> None:
    """Where the cost oscillates, derivatives of it vary more than scores do."""

    @dataclass(frozen=True)
    class Steep(Custom):
        def cost(self, x: Tensor, params: Params) -> Tensor:
            return torch.cos(50 * x).sum(-1)

    workload = work("pathwise", Steep())
    race = Race(long_run.NUM_SAMPLES)
    for spec in EXPECTED_COST.measured_by:
        race.enter(workload, spec)
    race.grow(1024)
    means = {spec: run.groups for spec, run in race.runs.items() if run.groups is not None}
    variances = {spec: statistics.total_variance(groups).value for spec, groups in means.items()}
    best = min(variances, key=lambda spec: variances[spec])
    assert best != "pathwise" and variances["pathwise"] > 100 * variances[best]
    found = find_reference(workload)
    assert isinstance(found, Reference)
    np.testing.assert_array_equal(found.groups, means[best].mean)


def test_pathwise_alone_measures_no_reference(short_reference: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(EXPECTED_COST), "measured_by", ("pathwise",))
    monkeypatch.setattr(reference_race, "applicable", lambda workload: False)
    found = estimated(work("pathwise", Custom()), replicates=1024)
    assert found.reference == "none" and found.mse is None and found.verdict is None
    assert any("only pathwise can measure it" in warning for warning in found.warnings)


def test_a_biased_estimator_does_not_measure_the_reference(short_reference: list[str]) -> None:
    @dataclass(frozen=True)
    class Step(Custom):
        differentiable = False

        def cost(self, x: Tensor, params: Params) -> Tensor:
            return (x > 0).to(x.dtype).sum(-1)

    found = estimated(work("pathwise", Step()), replicates=20_032)
    assert found.claim == "biased" and found.verdict == "biased"
    assert found.reference_gradient is not None
    density = float(torch.exp(Normal(0.0, 1.0).log_prob(torch.tensor(1.0))))
    assert found.reference_gradient["loc"] == pytest.approx(density, abs=0.02)


def test_a_false_claim_does_not_measure_the_reference(short_reference: list[str]) -> None:
    """`differentiable` is wrong: pathwise disagrees with the plain score function, which is believed."""

    @dataclass(frozen=True)
    class Lying(Custom):
        def cost(self, x: Tensor, params: Params) -> Tensor:
            return (x > 0).to(x.dtype).sum(-1) + 0 * x.sum(-1)  # a derivative, of zero

    assert estimated(work("pathwise", Lying()), replicates=20_032).verdict == "biased"


def test_an_exact_gradient_is_used_at_the_parameters_that_are_measured() -> None:
    """Float32 parameters are not those of the problem: at them the gradient is exact to the last bit of float64."""
    workload = work("pathwise", "gaussian-quadratic:dim=1,loc=0.1")
    found = find_reference(workload)
    assert isinstance(found, Reference) and found.kind == "exact"
    assert found.gradient[0] == 2 * float(np.float32(0.1))
