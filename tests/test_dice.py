"""Derivatives of second order, against the exact Hessian; those of first order are the score function's."""

import math

import pytest
import torch
from moving_costs import MovingBits, MovingTarget
from torch import Tensor

from estimators.dice import Baseline, DiCE
from estimators.interface import Estimator, Params, Problem, derivative
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.ranking.candidates import _like

DISCRETE = [make_problem("bernoulli-toy:dim=2,logit=0.5,t=0.1"), make_problem("categorical-toy"), MovingBits()]
CONTINUOUS = [
    make_problem("gaussian-quadratic:dim=2"),
    make_problem("gamma-cost:concentration=5,dim=1"),
    MovingTarget(),
]
BASELINES: tuple[Baseline, ...] = ("none", "leave-one-out")


def ready(problem: Problem, estimator: Estimator, num_samples: int) -> Workload:
    return prepare(problem, estimator, num_samples, dtype="float64")


def along(work: Workload, replicates: int) -> Params:
    """A direction."""
    source = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(value.shape, generator=source, dtype=torch.float64).expand(replicates, *value.shape)
        for name, value in work.point.items()
    }


def exact(work: Workload) -> Params:
    """The Hessian times the direction, from the exact cost."""
    point = {name: value.clone().requires_grad_() for name, value in work.params(1).items()}
    cost = work.problem.exact_cost(point)
    assert cost is not None
    gradient, direction = derivative(cost.sum(), point, differentiable=True), along(work, 1)
    return derivative(torch.stack([(gradient[name] * direction[name]).sum() for name in point]).sum(), point)


def products(work: Workload, noise: Tensor, estimator: Estimator | None = None) -> Params:
    """Of any surrogate."""
    replicates = noise.shape[1]
    made = work.estimator if estimator is None else estimator
    return DiCE.hessian_product(made, work.problem, work.params(replicates), noise, along(work, replicates))  # type: ignore[arg-type]


def enumerated(work: Workload) -> tuple[Tensor, Tensor]:
    """Noise that gives each state once, `[1, K]`, and the probabilities of those states."""
    q = work.problem.distribution(work.params(4096))
    noise = work.draw(work.source("states"), 4096)
    states = families.values(q, noise)[0].flatten(1)
    kinds, places = states.unique(dim=0, return_inverse=True)
    first = torch.stack([(places == kind).nonzero()[0, 0] for kind in range(len(kinds))])
    probability = families.probability(q, families.values(q, noise))[0, first]
    torch.testing.assert_close(probability.sum(), torch.ones_like(probability[0]))
    return noise[:, first], probability


def mean(weights: Tensor, values: Tensor) -> Tensor:
    return (weights.reshape(-1, *[1] * (values.ndim - 1)) * values).sum(0)


@pytest.mark.parametrize("problem", DISCRETE, ids=lambda made: type(made).__name__)
def test_the_hessian_by_enumeration(problem: Problem):
    work = ready(problem, DiCE(), 1)
    noise, probability = enumerated(work)
    found, right = products(work, noise), exact(work)
    for name, value in right.items():
        torch.testing.assert_close(mean(probability, found[name]), value[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("problem", DISCRETE, ids=lambda made: type(made).__name__)
def test_the_surrogate_of_score_function_has_another_one(problem: Problem):
    """By far, so that the test before could fail."""
    work = ready(problem, DiCE(), 1)
    noise, probability = enumerated(work)
    found, right = products(work, noise, make_estimator("score-function")), exact(work)
    off = [float((mean(probability, found[name]) - value[0]).norm() / value[0].norm()) for name, value in right.items()]
    assert max(off) > 0.5, off


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("problem", [*DISCRETE, *CONTINUOUS], ids=lambda made: type(made).__name__)
def test_the_hessian_of_several_samples(problem: Problem, baseline: Baseline):
    """In standard errors."""
    replicates, work = 2**14, ready(problem, DiCE(baseline), 4)
    found, right = products(work, work.draw(work.source("hessian"), replicates)), exact(work)
    for name, value in right.items():
        error = found[name].std(0) / math.sqrt(replicates)
        assert ((found[name].mean(0) - value[0]).abs() < 4.5 * error + 1e-9).all()


@pytest.mark.parametrize("baseline", BASELINES)
def test_gradients_are_those_of_the_score_function(baseline: Baseline):
    """So that a ranking needs one of them."""
    made = DiCE(baseline)
    for problem in (*DISCRETE, *CONTINUOUS):
        one, other = (ready(problem, each, 4) for each in (made, made.of_first_order))
        noise = one.draw(one.source("gradient"), 8)
        for name, value in other.gradient(other.params(8), noise).items():
            torch.testing.assert_close(one.gradient(one.params(8), noise)[name], value)
    assert _like(DISCRETE[0], made, [], 4) == made.of_first_order.spec


def test_the_baseline_takes_noise_from_the_hessian():
    """By seventeen here."""
    work = ready(make_problem("bernoulli-toy:dim=20,t=0.1"), DiCE(), 4)
    noise = work.draw(work.source("hessian"), 2**12)
    plain, less = (products(work, noise, DiCE(baseline))["logits"].var(0).sum() for baseline in BASELINES)
    assert less < plain / 10
