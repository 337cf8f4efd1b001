"""`measure`: the numbers it gives, when it stops, what it is compared with, and that nothing else moves them."""

import dataclasses
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from measurements import QUADRATIC, estimated, numbers, work
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import IID, NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments import measure
from experiments.gradients.steps import Step
from experiments.gradients.workload import flatten
from experiments.measuring.loop import estimate
from experiments.statistics import GROUPS
from experiments.sweep import Stop


@dataclass(frozen=True)
class OwnNoise(Estimator):
    """Draws auxiliary noise too, from a stream of its own, after that of x."""

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        noise = Pathwise().draw(problem, params, num_samples, source)
        return {"x": noise, "more": source.stream("more").normal(tuple(noise.shape))}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise["x"]) + 0 * noise["more"].sum((0, 2))


def test_moments_are_those_of_the_replicates() -> None:
    """Mean and variance of three blocks, the last one cut, as numpy computes them from all replicates at once."""
    workload = work("pathwise", num_samples=2048, dtype="float64")
    assert workload.chunk == 128
    found = estimated(workload, replicates=320)
    rows = np.concatenate([workload.gradients(index).numpy() for index in range(3)])[:320]
    assert found.replicates == 320
    for name, part in workload.named(np.arange(4)).items():
        np.testing.assert_allclose(found.mean[name], rows.mean(0)[part], rtol=1e-12)
        np.testing.assert_allclose(found.variance[name], rows.var(0, ddof=1)[part], rtol=1e-10)
    exact = flatten(workload.problem.exact_gradient(workload.params(1)) or {})[0].numpy()
    assert found.total_variance.value == pytest.approx(rows.var(0, ddof=1).sum(), rel=1e-10)
    assert found.mse is not None and found.cosine is not None and found.squared_bias is not None
    assert found.mse.value == pytest.approx(((rows - exact) ** 2).sum(1).mean(), rel=1e-10)
    cosines = rows @ exact / np.linalg.norm(rows, axis=1) / np.linalg.norm(exact)
    assert found.cosine.value == pytest.approx(cosines.mean(), rel=1e-12)
    bias = ((rows.mean(0) - exact) ** 2).sum() - rows.var(0, ddof=1).sum() / 320
    assert found.squared_bias.value == pytest.approx(bias, rel=1e-8)


def test_float32_moments_lose_nothing_to_a_large_mean() -> None:
    """A gradient that is ten thousand times its own noise: two passes keep the variance, one would lose it."""
    found = estimated(work("pathwise", "gaussian-quadratic:dim=1,k=-1e4", num_samples=1), replicates=200_000)
    variance, low, high = (getattr(found, key)["loc"].item() for key in ("variance", "variance_low", "variance_high"))
    assert low < 4 < high, variance
    assert high / low < 1 + 8 * np.sqrt(2 / 200_000), "wider than an interval of four standard errors"


def test_replicates_are_rounded_up_to_equal_groups() -> None:
    found = estimated(work("pathwise"), replicates=1000)
    assert found.replicates == 1024 and found.groups.count == 1024 // GROUPS
    assert found.stop_reason == "replicates"


def test_same_seed_same_numbers() -> None:
    first, again, other = (estimated(work("score-function", seed=seed), replicates=5000) for seed in (3, 3, 4))
    assert numbers(first) == numbers(again)
    assert first.total_variance != other.total_variance


def test_numbers_do_not_depend_on_what_else_is_computed() -> None:
    alone = numbers(estimated(work("score-function:control_variate=moving-average"), replicates=5000))
    torch.manual_seed(99)
    torch.rand(1000)
    estimated(work("stratified:scheme=sobol"), replicates=5000)
    estimated(work("score-function", seed=5), replicates=20_000)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = numbers(estimated(work("score-function:control_variate=moving-average"), replicates=5000))
    finally:
        torch.set_num_threads(threads)
    assert again == alone


def test_the_settings_of_torch_are_left_alone() -> None:
    state, validation = torch.get_rng_state(), Distribution._validate_args
    workload = work("importance-weighted:proposal=defensive")
    estimated(workload, replicates=1000)
    assert torch.equal(torch.get_rng_state(), state)
    assert Distribution._validate_args == validation

    class Failing(Step):
        def __call__(self, params: Params, source: IID) -> Params:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        replace(workload, step=Failing()).gradients(0)
    assert Distribution._validate_args == validation, "not after an error either"


def test_more_replicates_begin_with_the_same_ones() -> None:
    """Growing by blocks gives the replicates that asking for them all at once gives."""
    grown = estimated(work("pathwise", num_samples=512), rtol=0.01, max_replicates=60_000)
    asked = estimated(work("pathwise", num_samples=512), replicates=grown.replicates)
    np.testing.assert_array_equal(grown.mean["loc"], asked.mean["loc"])
    assert grown.total_variance == asked.total_variance


def test_estimators_meet_the_same_noise_of_x() -> None:
    noises = [work(spec).noise(2) for spec in ("pathwise", "score-function", "score-function:control_variate=taylor")]
    assert all(torch.equal(noise, noises[0]) for noise in noises)
    assert torch.equal(work(OwnNoise()).noise(2)["x"], noises[0])
    pair = work("importance-weighted:base=pathwise,proposal=defensive").noise(2)
    assert torch.equal(pair["base"], noises[0])
    mirrored = work("stratified:scheme=antithetic").noise(2)
    assert torch.equal(mirrored[0], noises[0].flatten()[: mirrored[0].numel()].reshape(mirrored[0].shape))


def test_other_problems_sizes_seeds_and_chunks_meet_other_noise() -> None:
    usual = work("pathwise").noise(0)
    for other in (work("pathwise", "gaussian-cosine:dim=2"), work("pathwise", seed=1)):
        assert not torch.equal(other.noise(0), usual)
    assert not torch.equal(work("pathwise").noise(1), usual)
    assert not torch.equal(work("pathwise", num_samples=4).noise(0)[:2], usual[:, : len(work("pathwise").noise(0)[0])])


def test_a_chunk_depends_on_the_problem_and_the_number_of_samples_alone() -> None:
    assert work("pathwise").chunk == work("stratified:base=score-function,scheme=sobol").chunk == 2**15
    assert work("pathwise", num_samples=100).chunk == 2**11
    assert work("pathwise", "gaussian-quadratic:dim=1000000").chunk == 1


def test_a_chunk_of_one_replicate() -> None:
    found = estimated(work("pathwise", "gaussian-quadratic:dim=20000", num_samples=32), replicates=64)
    assert found.replicates == 64 and found.nonfinite == 0
    rows = found.parameters()
    assert len(rows) == 2 and all(row["index"] is None for row in rows)


def test_float64() -> None:
    workload = work("score-function", dtype="float64")
    assert workload.gradients(0).dtype == torch.float64
    found = estimated(workload, replicates=5000)
    assert found.dtype == "float64"
    assert (
        measure(make_problem(QUADRATIC), make_estimator("exact"), replicates=64, dtype="float64").verdict == "unbiased"
    )


def test_the_row_and_the_parameters_of_a_measurement() -> None:
    found = measure(make_problem(QUADRATIC), make_estimator("importance-weighted"), num_samples=4, replicates=2048)
    row = found.row()
    json.dumps(row)
    assert row["estimator"] == "importance-weighted" and row["problem"] == QUADRATIC
    assert (row["total_variance"], row["total_variance_low"], row["total_variance_high"]) == found.total_variance
    ess = json.loads(row["diagnostics"])["effective_sample_size"]
    assert 1 < ess < 4
    rows = found.parameters()
    assert [(r["parameter"], r["index"]) for r in rows] == [(n, i) for n in ("loc", "log_scale") for i in range(2)]
    assert rows[0]["reference"] == 2.0 and rows[0]["variance_low"] < rows[0]["variance"] < rows[0]["variance_high"]
    assert found.work_normalized_variance is not None and found.seconds_per_gradient is not None
    product = found.total_variance.value * found.seconds_per_gradient.value
    assert found.work_normalized_variance.value == pytest.approx(product)


def test_without_a_reference_nothing_is_compared() -> None:
    workload = work("score-function")
    found = estimate(workload, None, Stop(replicates=2048))
    assert found.reference == "none" and found.snr is not None
    compared = ("squared_bias", "mse", "cosine", "verdict", "p_value", "detectable_bias", "gradient_norm")
    assert all(getattr(found, name) is None for name in compared)
    assert json.dumps(found.row()) and found.parameters()


def test_the_fit_is_reported_and_is_on_noise_of_its_own() -> None:
    found = work("score-function:control_variate=moving-average")
    assert found.fitted and estimated(found, replicates=64).fitted
    assert not work("score-function").fitted
    average = found.estimator.control_variate.average  # type: ignore[attr-defined]
    again = work("score-function:control_variate=moving-average", seed=1).estimator.control_variate.average  # type: ignore[attr-defined]
    assert average.shape == (1,) and average != again


def test_heavy_tails_are_warned_of() -> None:
    found = estimated(work("importance-weighted:proposal=shifted,scale=3", num_samples=1), replicates=20_032)
    assert any("heavy tails" in text for text in found.warnings)
    assert not estimated(work("pathwise"), replicates=20_032).warnings


def test_estimates_that_have_a_largest_have_no_heavy_tail() -> None:
    """Four states: the largest estimates are all the same, where a fit to their distances finds a tail."""
    found = estimated(work("score-function", "bernoulli-toy:dim=2"), replicates=20_032)
    assert found.kurtosis < 4 and not any("heavy tails" in text for text in found.warnings)


def test_a_kurtosis_that_is_not_known_is_not_told() -> None:
    """One replicate a group has no variance of its own."""
    found = estimated(work("importance-weighted:proposal=shifted,scale=3", num_samples=1), replicates=64)
    assert any(text.startswith("heavy tails: ") for text in found.warnings) and "nan" not in str(found.warnings)


def test_a_measurement_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimated(work("pathwise"), replicates=64).seed = 3  # type: ignore[misc]


def test_signals_of_each_named_parameter():
    """Pathwise on (x − k)² with x ~ N(1, 1): means 2 and 2, variances 4 and 12 in each entry."""
    found = estimated(work("pathwise", num_samples=3), replicates=20_000)
    exact = {"loc": (8 / 3, (8 / (8 / 3)) ** 0.5), "log_scale": (24 / 3, (8 / (24 / 3)) ** 0.5)}
    assert found.signals.keys() == exact.keys()
    for name, values in exact.items():
        for interval, value in zip(found.signals[name], values, strict=True):
            assert interval is not None
            error = np.log(interval.high / interval.low) / 4
            assert abs(np.log(interval.value / value)) < 4 * error < 0.1, name
    rows = {row["parameter"]: row for row in found.signal_rows()}
    assert rows["loc"]["snr_low"] < rows["loc"]["snr"] < rows["loc"]["snr_high"]
    total = sum(signal.total_variance.value for signal in found.signals.values())
    assert total == pytest.approx(found.total_variance.value)
