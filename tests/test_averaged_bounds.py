"""The mean of bounds of fewer samples: the mean is that of one of them, the variance a part of its."""

from dataclasses import dataclass, field
from math import prod

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import EXPECTED_COST, LatentVariableProblem, Params
from estimators.registry import make_estimator, make_problem
from experiments import rank
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.reference_files import key_of
from experiments.sweep import Stop

SMALL = "linear-gaussian:dim=1,perturbation=1,points=2"
BOUNDS = [
    "iwae",
    "dreg",
    "sticking-the-landing",
    "vimco",
    "ovis:gamma=1",
    "renyi",
    "reweighted-wake-sleep",
]
ROUNDING = 1e-12


def averaged(base: str, averages: int = 2) -> str:
    return f"averaged-bound:averages={averages},base=({base})"


def workload(spec: str, num_samples: int, problem: str = SMALL, batch: int = 0) -> Workload:
    return prepare(make_problem(problem), make_estimator(spec), num_samples, dtype="float64", batch=batch)


def moments(work: Workload) -> tuple[Tensor, Tensor]:
    """The mean and the covariance of the estimates, over all combinations of three noises of known chances."""
    nodes, weights = (torch.from_numpy(one) for one in np.polynomial.hermite_e.hermegauss(3))
    shape = work.draw(work.source("shape"), 1).shape
    count = prod(shape)
    noise = torch.cartesian_prod(*[nodes] * count).reshape(-1, shape[0], *shape[2:]).transpose(0, 1)
    chances = torch.cartesian_prod(*[weights / weights.sum()] * count).prod(-1)
    found = flat(work.gradient(work.params(len(chances)), noise))
    mean = chances @ found
    return mean, (chances.unsqueeze(1) * (found - mean)).T @ (found - mean)


def flat(params: Params) -> Tensor:
    return torch.cat([value.flatten(1) for value in params.values()], 1)


@pytest.mark.parametrize("base", BOUNDS)
def test_its_mean_is_that_of_one_bound_and_its_variance_a_half(base: str) -> None:
    """Whatever has known chances is as good as the noise that is drawn: the sums are exact."""
    mean, covariance = moments(workload(base, 2))
    found_mean, found_covariance = moments(workload(averaged(base), 4))
    torch.testing.assert_close(found_mean, mean, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(found_covariance, covariance / 2, rtol=ROUNDING, atol=ROUNDING)
    other, _ = moments(workload(base, 4))
    assert (other - mean).abs().max() > 1e-3, "which that of the bound of all samples is not"


@pytest.mark.parametrize("averages", [2, 4])
def test_of_one_sample_each_it_is_the_mean_of_the_negative_elbo(averages: int) -> None:
    """As pathwise is, in the noise of which the samples stand in the place of data points."""
    work, plain = workload(averaged("iwae", averages), averages), workload("pathwise", averages)
    noise = plain.draw(plain.source("noise"), 16)
    as_points = noise.transpose(0, 1).flatten(1, 2).unsqueeze(0)
    found, wanted = work.gradient(work.params(16), as_points), plain.gradient(plain.params(16), noise)
    torch.testing.assert_close(flat(found), flat(wanted), rtol=ROUNDING, atol=ROUNDING)
    assert work.objective == EXPECTED_COST


@pytest.mark.parametrize("base", ["iwae", "renyi", "vimco"])
def test_its_objective_is_the_bound_of_fewer_samples(base: str) -> None:
    """With the reference of that, by one name on disk."""
    few, many, mean = workload(base, 4), workload(base, 8), workload(averaged(base), 8)
    assert mean.objective == few.objective != many.objective
    assert key_of(mean) == key_of(few) != key_of(many)


def test_its_reference_is_measured_with_fewer_samples() -> None:
    """Against that of the bound of all samples it is biased."""
    work, of_all = workload(averaged("iwae"), 4), workload("iwae", 4)
    right, wrong = (estimate(work, find_reference(one), Stop(replicates=50_000)) for one in (work, of_all))
    assert (right.target, right.reference, right.evaluations) == ("bound of 2 samples", "measured", 4)
    assert right.verdict != "biased" and right.detectable_bias is not None and right.detectable_bias < 0.05
    assert wrong.verdict == "biased"


def test_its_variance_falls_with_the_averages() -> None:
    """At the same samples for each, where the bound alone has the variance V: V / M."""
    problem = "digits-vae:hidden=2,latent=1,points=2"
    one, four = (
        estimate(workload(spec, samples, problem), None, Stop(replicates=20_000)).total_variance
        for spec, samples in (("iwae", 4), (averaged("iwae", 4), 16))
    )
    low, high = one.low / four.high, one.high / four.low
    assert low < 4 < high and high / low < 1.3


def test_on_mini_batches_and_under_a_scheme() -> None:
    """The data points of a batch have their own M bounds; what places the noise places that of K samples."""
    problem = "linear-gaussian:dim=2,perturbation=1,points=4"
    work = workload(averaged("iwae"), 4, problem, batch=2)
    noise = work.draw(work.source("noise"), 32)
    assert noise["base"].shape == (2, 32, 4, 2)
    seen = work.problem.batch(noise["keys"].topk(2, dim=1).indices)
    halves = noise["base"].chunk(2, dim=2)
    base = make_estimator("iwae")
    wanted = sum(flat(base.gradient(seen, work.params(32), half)) for half in halves) / 2
    torch.testing.assert_close(flat(work.gradient(work.params(32), noise)), wanted, rtol=ROUNDING, atol=ROUNDING)
    pairs = workload(f"stratified:base=({averaged('iwae')}),scheme=antithetic", 4, problem)
    first, second = pairs.draw(pairs.source("noise"), 8)
    torch.testing.assert_close(first, -second)
    assert pairs.objective == workload("iwae", 2, problem).objective


def test_what_it_refuses() -> None:
    problem = make_problem(SMALL)

    def refusal(spec: str, num_samples: int, on: str = SMALL) -> str | None:
        return make_estimator(spec).refusal(make_problem(on), num_samples)

    assert refusal("averaged-bound", 5) == (
        "averaged-bound needs num_samples that are a multiple of averages=2, not 5: choose 4 or 6, or other averages"
    )
    assert refusal("averaged-bound:averages=8", 4) is not None and refusal("averaged-bound", 4) is None
    assert refusal(averaged("vimco"), 2) == (
        "with averages=2 each bound has 1 of the 2 samples: "
        "vimco needs num_samples of two or more: each sample has its baseline from the others"
    )
    assert "latent-variable" in (refusal("averaged-bound", 4, "gaussian-quadratic") or "")
    assert "is a bound" in (refusal("per-data-point:base=averaged-bound", 4) or "")
    for spec, told in (("averages=0", "at least 1"), ("base=pathwise", "pathwise is none")):
        with pytest.raises(ValueError, match=told):
            make_estimator(f"averaged-bound:{spec}")
    found = rank(problem, num_samples=4, estimators=["pathwise", averaged("iwae"), averaged("iwae", 4)], seconds=2)
    aside = dict(zip(found.table["estimator"], found.table["aside"], strict=True))
    assert aside["averaged-bound"] == "other objective" and not aside["averaged-bound:averages=4"]


def test_a_model_with_data_beside_its_observation_is_refused() -> None:
    @dataclass(frozen=True)
    class Labelled(LatentVariableProblem):
        observation: Tensor = field(default_factory=lambda: torch.zeros(3, 1, dtype=torch.float64))
        labels: Tensor = field(default_factory=lambda: torch.arange(3, dtype=torch.float64))

        def initial_params(self) -> Params:
            return {"loc": torch.tensor(0.1)}

        def posterior(self, params: Params) -> Distribution:
            loc = params["loc"].reshape(-1, 1, 1) + self.observation
            return Independent(Normal(loc, 1.0), 1)

        def log_joint(self, z: Tensor, params: Params) -> Tensor:
            return -((z.squeeze(-1) - self.labels) ** 2) - params["loc"].unsqueeze(-1) ** 2

    problem = Labelled()
    assert make_estimator("iwae").unsupported(problem, 4) is None
    why = make_estimator("averaged-bound").unsupported(problem, 4)
    assert why is not None and why.startswith("averaged-bound gives the model each data point 2 times, which has data")
