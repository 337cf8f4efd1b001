"""Mini-batches: data of its own for each replicate, scaled to the whole; and what training reports."""

import numpy as np
import pytest
import torch
from cases import PROBLEMS, problem
from scipy import integrate, special, stats

from estimators.interface import LatentVariableProblem, Params, Problem, replicated
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.problems.digits import Digits

WITH_DATA = [spec for spec in PROBLEMS if problem(spec).num_data]
DIGITS = 1e-12
"""Relative rounding error of float64 through sums in another order."""
each_problem = pytest.mark.parametrize("spec", WITH_DATA)


def scattered(made: Problem, replicates: int) -> Params:
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + 0.1 * torch.randn(replicates, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in made.initial_params().items()
    }


def close(found: torch.Tensor | None, wanted: torch.Tensor | None) -> None:
    assert found is not None and wanted is not None
    torch.testing.assert_close(found, wanted, rtol=DIGITS, atol=DIGITS)


def whole(made: Problem) -> Problem:
    """On all data that batches are drawn from: the digits are measured on a part of them."""
    return made.conditioned(made.training, 1.0) if isinstance(made, Digits) else made


def row(params: Params, index: int) -> Params:
    return {name: value[index : index + 1] for name, value in params.items()}


def test_problems_with_data_are_found() -> None:
    assert {spec.partition(":")[0] for spec in WITH_DATA} >= {"linear-gaussian", "logistic-regression"}


def test_a_problem_without_data_has_no_batch() -> None:
    made = make_problem("gaussian-quadratic")
    assert made.num_data == 0
    with pytest.raises(ValueError, match="gaussian-quadratic has no data"):
        made.batch(torch.zeros(1, 1, dtype=torch.long))


@each_problem
@pytest.mark.parametrize("replicates", [1, 2])
def test_the_batch_of_all_data_is_the_whole(spec: str, replicates: int) -> None:
    made = whole(problem(spec))
    params = scattered(made, replicates)
    order = torch.stack([torch.randperm(made.num_data, generator=torch.Generator().manual_seed(r)) for r in range(5)])
    part = made.batch(order[:replicates])
    assert part.spec == made.spec and part.num_data == made.num_data
    close(part.exact_cost(params), made.exact_cost(params))
    found, wanted = part.exact_gradient(params), made.exact_gradient(params)
    assert found is not None and wanted is not None
    for name in params:
        close(found[name], wanted[name])
    if isinstance(made, LatentVariableProblem):
        return  # whose samples belong to the data points
    x = made.distribution(params).sample((3,))
    close(part.cost(x, params), made.cost(x, params))


@each_problem
def test_batches_of_one_average_to_the_whole(spec: str) -> None:
    """Over all data points, whatever else the cost contains."""
    made = whole(problem(spec))
    params = scattered(made, 1)
    ones = made.batch(torch.arange(made.num_data).unsqueeze(1))
    each = ones.exact_cost({name: value.expand(made.num_data, *value.shape[1:]) for name, value in params.items()})
    assert each is not None
    close(each.mean(0, keepdim=True), made.exact_cost(params))


@each_problem
@pytest.mark.parametrize("estimator", ["pathwise", "score-function", "iwae", "dreg", "vimco", "reweighted-wake-sleep"])
def test_replicates_have_batches_of_their_own(spec: str, estimator: str) -> None:
    made, found = problem(spec), make_estimator(estimator)
    if found.unsupported(made, 2):
        pytest.skip("not for this problem")
    params = scattered(made, 5)
    indices = torch.randint(made.num_data, (5, 4), generator=torch.Generator().manual_seed(1))
    part = made.batch(indices)
    noise = found.draw(part, params, 2, IID(0, dtype=torch.float64))
    if noise.ndim == 1:
        pytest.skip("the noise is a seed")
    together = found.gradient(part, params, noise)
    values = found.surrogate(part, params, noise)
    assert values.shape == (5,)
    for index in range(5):
        alone, own = made.batch(indices[index : index + 1]), row(params, index)
        close(found.surrogate(alone, own, noise[:, index : index + 1]), values[index : index + 1])
        for name, value in found.gradient(alone, own, noise[:, index : index + 1]).items():
            close(value[0], together[name][index])


@each_problem
@pytest.mark.parametrize("estimator", ["iwae", "vimco", "renyi", "sticking-the-landing"])
def test_a_batch_of_the_bounds_is_scaled(spec: str, estimator: str) -> None:
    made, found = problem(spec), make_estimator(estimator)
    if found.unsupported(made, 2):
        pytest.skip("not for this problem")
    params = scattered(made, 2)
    both = made.batch(torch.arange(2).expand(2, -1))
    noise = found.draw(both, params, 2, IID(0, dtype=torch.float64))
    if noise.ndim == 1:
        pytest.skip("the noise is a seed")
    ones = [
        found.surrogate(made.batch(torch.full((2, 1), index)), params, noise[:, :, index : index + 1])
        for index in (0, 1)
    ]
    close(torch.stack(ones).mean(0), found.surrogate(both, params, noise))


@each_problem
def test_evaluation_gives_the_objective_of_each_replicate(spec: str) -> None:
    made = problem(spec)
    params = scattered(made, 5)
    found = made.evaluate(params, IID(0, dtype=torch.float64))
    assert all(value.shape == (5,) and value.isfinite().all() for value in found.values())
    if isinstance(made, Digits):
        assert found.keys() == {"objective", "test_objective"}
    else:
        close(found["objective"], made.exact_cost(params))
        assert found.keys() == {"objective"}


def test_the_held_out_cases_of_the_logistic_regression() -> None:
    """The predictive likelihood by adaptive integration; the objective is that of the other cases."""
    made, whole = make_problem("logistic-regression:held_out=100"), make_problem("logistic-regression")
    params = scattered(made, 2)
    test, training = made.test_features, made.signed_features  # type: ignore[attr-defined]
    together = torch.cat([test, training]).sort(0).values
    close(together, whole.signed_features.sort(0).values)  # type: ignore[attr-defined]
    found = made.evaluate(params, IID(0))
    close(found["objective"], made.exact_cost(params))
    assert made.num_data == len(training) == 469 and len(test) == 100
    for index in range(2):
        own = row(params, index)
        mean = (test @ own["loc"][0]).numpy()
        deviation = (test**2 @ (2 * own["log_scale"][0]).exp()).sqrt().numpy()

        def integrand(z: float, mean=mean, deviation=deviation) -> np.ndarray:
            return special.expit(mean + deviation * z) * stats.norm.pdf(z)

        likelihood, _ = integrate.quad_vec(integrand, -12, 12, epsabs=1e-9)
        assert float(found["test_log_likelihood"][index]) == pytest.approx(np.log(likelihood).mean(), rel=1e-7)


def test_the_held_out_cases_are_always_the_same_and_nested() -> None:
    few, many = (make_problem(f"logistic-regression:held_out={count}").test_features for count in (10, 20))  # type: ignore[attr-defined]
    close(many[:10], few)
    with pytest.raises(ValueError, match="held_out must be from 0 to 568"):
        make_problem("logistic-regression:held_out=569")


def test_a_batch_knows_what_kind_of_x_it_has() -> None:
    made = make_problem("linear-gaussian:dim=2,points=3")
    assert made.initial_distribution.event_shape == (3, 2)
    assert made.batch(torch.zeros(4, 2, dtype=torch.long)).initial_distribution.event_shape == (2, 2)
    assert made.initial_distribution.event_shape == (3, 2)
    assert replicated(made.initial_params(), 1)["bias"].shape == (1, 2)
