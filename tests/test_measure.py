"""`measure`: the numbers it gives, when it stops, what it is compared with, and that nothing else moves them."""

import dataclasses
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import EXPECTED_COST, Estimator, Noise, Params, Problem, Unsupported
from estimators.noise import IID, NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments import Measurement, measure, statistics
from experiments.gradients.prepare import prepare
from experiments.gradients.steps import Step
from experiments.gradients.workload import Workload, flatten
from experiments.machine.caching import cache_folder
from experiments.measuring import find_reference as reference
from experiments.measuring import long_run
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.statistics import GROUPS
from experiments.sweep import Stop
from experiments.timing.memory import peak_memory

QUADRATIC = "gaussian-quadratic:dim=2"


def work(estimator: str | Estimator, problem: str | Problem = QUADRATIC, num_samples: int = 2, **more: Any) -> Workload:
    made = make_problem(problem) if isinstance(problem, str) else problem
    return prepare(made, make_estimator(estimator) if isinstance(estimator, str) else estimator, num_samples, **more)


def estimated(workload: Workload, **stop: Any) -> Measurement:
    return estimate(workload, find_reference(workload), Stop(**stop))


def numbers(found: Measurement) -> dict[str, Any]:
    """All that does not depend on the clock, as JSON text that compares NaN with NaN."""
    row = {key: value for key, value in found.row().items() if key != "statistics_seconds"}
    return {key: json.dumps(value) for key, value in row.items()} | {"parameters": json.dumps(found.parameters())}


@dataclass(frozen=True)
class Spoiled(Estimator):
    """Pathwise, whose estimate is not finite in the replicates whose first noise is above a level."""

    level: float = 3.0
    with_infinity: bool = False

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        bad = noise[0].flatten(1)[:, 0] > self.level
        factor = torch.where(bad, torch.inf if self.with_infinity else torch.nan, 1.0)
        return Pathwise().surrogate(problem, params, noise) * factor


@dataclass(frozen=True)
class OwnNoise(Estimator):
    """Draws auxiliary noise too, from a stream of its own, after that of x."""

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        noise = Pathwise().draw(problem, params, num_samples, source)
        return {"x": noise, "more": source.stream("more").normal(tuple(noise.shape))}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise["x"]) + 0 * noise["more"].sum((0, 2))


@dataclass(frozen=True)
class Custom(Problem):
    """A user's problem with data of its own, which does not know its expected cost."""

    file: str = ""
    centre: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        centre = float(Path(self.file).read_text()) if self.file else 0.0
        object.__setattr__(self, "centre", torch.tensor(centre, dtype=torch.float64))

    def initial_params(self) -> Params:
        return {"loc": torch.ones(2, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((x - self.centre) ** 2).sum(-1)


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


def memory_of(blocks: int) -> tuple[int, int]:
    """Most bytes held at once by tensors, and by numpy and Python."""
    workload = work("score-function", num_samples=128)
    assert workload.chunk == 2048

    def step() -> Measurement:
        return estimated(workload, replicates=blocks * 2048)

    tensors = peak_memory(step, workload.device)
    tracemalloc.start()
    try:
        step()
        return tensors, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_replicates() -> None:
    memory_of(1)  # what is kept from the first use
    (tensors, others), (more_tensors, more_others) = memory_of(2), memory_of(16)
    assert more_tensors == tensors
    means_of_a_block = GROUPS * work("score-function").size * 8
    assert more_others - others < 14 * means_of_a_block / 2


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({"rtol": 0.05}, "precision"),
        ({"replicates": 1024}, "replicates"),
        ({"rtol": 1e-4, "max_replicates": 100_000}, "max_replicates"),
        ({"rtol": 1e-4, "max_elements": 4 * 30_000}, "max_elements"),
        ({"rtol": 1e-4, "max_elements": 1, "max_replicates": 70}, "max_elements"),
        ({"replicates": 1024, "max_elements": 4 * 640}, "replicates"),
        ({"rtol": 1e-4, "max_seconds": 0.2}, "max_seconds"),
        ({"rtol": 1, "detect": True}, "precision"),
    ],
)
def test_stop_reasons(stop: dict[str, Any], reason: str) -> None:
    found = estimated(work("score-function:control_variate=leave-one-out"), **stop)
    assert found.stop_reason == reason
    if reason == "precision":
        assert found.replicates >= 20_000
    if "rtol" in stop and reason == "precision":
        value, low, high = found.total_variance
        assert max(high / value - 1, 1 - low / value) <= stop["rtol"]
    if stop.get("detect"):
        assert found.detectable_bias is not None and found.detectable_bias <= 0.01
    if "max_elements" in stop:  # 2 samples of 2 dimensions are 4 elements, and there are 64 groups
        assert found.replicates == {120_000: 29_952, 1: 64, 2560: 1024}[stop["max_elements"]]
    elif "max_replicates" in stop:
        assert found.replicates == 100_032


def test_no_variance_is_precise_at_once() -> None:
    found = estimated(work("exact"))
    assert found.stop_reason == "precision" and found.verdict == "unbiased"
    assert (
        found.total_variance == (0, 0, 0) and found.snr is None and found.detectable_bias == pytest.approx(0, abs=1e-3)
    )


@pytest.mark.parametrize("with_infinity", [False, True])
def test_what_is_not_finite_is_counted_and_stops_the_sampling(with_infinity: bool) -> None:
    spoiled = work(Spoiled(with_infinity=with_infinity))
    found = estimated(spoiled)
    assert found.stop_reason == "nonfinite" and found.verdict == "undetermined"
    noise = torch.cat([spoiled.noise(index)[0, :, 0] for index in range(found.replicates // spoiled.chunk)])
    assert found.nonfinite == int((noise > 3).sum()) > 0
    assert np.isnan(found.total_variance.value)
    assert any(f"{found.nonfinite:,} of {found.replicates:,}" in text for text in found.warnings)


def test_what_is_not_finite_is_counted_among_replicates_that_were_asked_for() -> None:
    found = estimated(work(Spoiled()), replicates=20_032)
    assert found.stop_reason == "replicates"
    assert found.nonfinite == int((work(Spoiled()).noise(0)[0, :20_032, 0] > 3).sum()) > 0


@pytest.fixture
def short_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """References of 4096 replicates in a cache of their own; yields which estimators measured them."""
    runs: list[str] = []
    original = long_run._run

    def run(workload: Workload, spec: str, num_samples: int) -> Any:
        runs.append(spec)
        return original(workload, spec, num_samples)

    monkeypatch.setattr(long_run, "ELEMENTS", 1)
    monkeypatch.setattr(long_run, "_run", run)
    monkeypatch.setattr(reference, "_uncached", {})
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    yield runs


def test_a_problem_without_an_exact_gradient_gets_a_measured_one(short_reference: list[str], tmp_path: Path) -> None:
    assert cache_folder() == tmp_path
    found = estimated(work("score-function", Custom()), replicates=50_000)
    assert found.reference == "measured" and short_reference == list(EXPECTED_COST.measured_by)
    assert found.reference_gradient is not None and found.squared_bias is not None
    # 4096 replicates of 64 pathwise samples, each of variance 4.
    assert np.abs(found.reference_gradient["loc"] - 2).max() < 5 * np.sqrt(4 / 4096 / 64)
    assert found.verdict != "biased" and found.squared_bias.low <= 0 <= found.squared_bias.high


def test_a_measured_reference_is_measured_once(short_reference: list[str], tmp_path: Path) -> None:
    first = estimated(work("pathwise", Custom()), replicates=1024)
    count = len(short_reference)
    assert len(list(tmp_path.rglob("*.npy"))) == 1 and not list(tmp_path.rglob("*.tmp"))
    again = estimated(work("pathwise", Custom()), replicates=1024)
    assert len(short_reference) == count
    assert numbers(first) == numbers(again)


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x93NUMPY"])
def test_a_damaged_cache_is_measured_anew(short_reference: list[str], tmp_path: Path, damage: bytes) -> None:
    first = estimated(work("pathwise", Custom()), replicates=1024)
    (file,) = tmp_path.rglob("*.npy")
    file.write_bytes(damage)
    assert numbers(estimated(work("pathwise", Custom()), replicates=1024)) == numbers(first)
    assert np.load(file).shape == (GROUPS, 2)


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
    runs = {spec: long_run._run(workload, spec, long_run.NUM_SAMPLES) for spec in EXPECTED_COST.measured_by}
    variances = {spec: statistics.total_variance(run).value for spec, run in runs.items() if run is not None}
    best = min(variances, key=lambda spec: variances[spec])
    assert best != "pathwise" and variances["pathwise"] > 100 * variances[best]
    found, expected = find_reference(workload), runs[best]
    assert found is not None and expected is not None
    np.testing.assert_array_equal(found.groups, expected.mean)


def test_who_agrees_with_nobody_measures_no_reference(
    short_reference: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(workload: Workload, spec: str, num_samples: int, original: Any = long_run._run) -> Any:
        return original(workload, spec, num_samples) if spec == "pathwise" else None

    monkeypatch.setattr(long_run, "_run", run)
    found = estimated(work("pathwise", Custom()), replicates=1024)
    assert found.reference == "none" and found.mse is None and found.verdict is None


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
            return (x > 0).to(x.dtype).sum(-1)

    assert estimated(work("pathwise", Lying()), replicates=20_032).verdict == "biased"


def test_an_exact_gradient_is_used_at_the_parameters_that_are_measured() -> None:
    """Float32 parameters are not those of the problem: at them the gradient is exact to the last bit of float64."""
    workload = work("pathwise", "gaussian-quadratic:dim=1,loc=0.1")
    found = find_reference(workload)
    assert found is not None and found.kind == "exact"
    assert found.gradient[0] == 2 * float(np.float32(0.1))


def test_float64() -> None:
    workload = work("score-function", dtype="float64")
    assert workload.gradients(0).dtype == torch.float64
    found = estimated(workload, replicates=5000)
    assert found.dtype == "float64"
    assert (
        measure(make_problem(QUADRATIC), make_estimator("exact"), replicates=64, dtype="float64").verdict == "unbiased"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "cuda:99"}, "device 'cuda:99' is not available"),
        ({"device": "abacus"}, "device 'abacus'"),
        ({"dtype": "float16"}, "float32 or float64"),
        ({"device": 1.5}, "device '1.5'"),
        ({"device": "meta"}, "device 'meta' is not available"),
        ({"dtype": "double"}, "float32 or float64"),
        ({"dtype": torch.int64}, "float32 or float64, not 'int64'"),
        ({"replicates": 0}, "replicates"),
        ({"max_replicates": 0}, "max_replicates"),
        ({"rtol": 0}, "rtol"),
        ({"max_seconds": -1}, "max_seconds"),
    ],
)
def test_what_cannot_be_measured_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        measure(make_problem(QUADRATIC), make_estimator("pathwise"), **options)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_samples": 1.5}, "num_samples must be a whole number, not 1.5"),
        ({"num_samples": "3"}, "num_samples must be a whole number, not '3'"),
        ({"replicates": 1e5}, "replicates must be a whole number, not 100000.0"),
        ({"max_replicates": 1e6}, "max_replicates must be a whole number"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"problem": QUADRATIC}, r"make_problem\(spec\)"),
        ({"estimator": "pathwise"}, r"make_estimator\(spec\)"),
        ({"estimator": Pathwise}, r"make_estimator\(spec\)"),
    ],
)
def test_types_that_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said) as refused:
        sound: dict[str, Any] = {"problem": make_problem(QUADRATIC), "estimator": Pathwise(), "replicates": 64}
        measure(**(sound | options))
    assert str(refused.value).isprintable()


def test_types_that_do_no_harm() -> None:
    def found(**options: Any) -> dict[str, Any]:
        return numbers(measure(make_problem(QUADRATIC), Pathwise(), **options))

    wanted = found(replicates=1024, num_samples=1, seed=3, dtype="float64", device="cpu")
    whole: dict[str, Any] = {"num_samples": np.int64(1), "seed": torch.tensor(3), "replicates": np.int32(1024)}
    assert found(**whole, dtype=torch.float64, device=torch.device("cpu")) == wanted
    assert found(num_samples=True, seed=np.uint8(3), dtype="float64", replicates=1024) == wanted


def test_unsupported_pairs_are_refused_with_their_reason() -> None:
    with pytest.raises(Unsupported, match="not differentiable"):
        measure(make_problem("bernoulli-toy"), make_estimator("pathwise"))
    with pytest.raises(Unsupported, match="num_samples"):
        measure(make_problem(QUADRATIC), make_estimator("pathwise"), num_samples=0)


def test_parameters_that_the_distribution_refuses_are_named() -> None:
    spec = "gaussian-quadratic:dim=1,log_scale=-1000"
    with pytest.raises(ValueError, match=f"{spec} are refused by its distribution") as refused:
        work("pathwise", spec)
    assert str(refused.value).isprintable()


def test_a_distribution_with_too_many_batch_dimensions_is_explained() -> None:
    @dataclass(frozen=True)
    class Unwrapped(Custom):
        def distribution(self, params: Params) -> Distribution:
            return Normal(params["loc"], 1.0)

    with pytest.raises(ValueError, match="Independent"):
        work("score-function", Unwrapped())


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
