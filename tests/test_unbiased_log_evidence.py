"""The log-evidence without bias, against its exact gradient; and what a random number of samples must not change."""

import itertools
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from estimators.bounds.unbiased_log_evidence import Step, UnbiasedLogEvidence
from estimators.interface import LatentVariableProblem, Params
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload

ENCODER = ("weight", "bias")


def workload(num_samples: int = 2, options: str = "", estimator: str = "unbiased-log-evidence") -> Workload:
    """With a gradient: μ is moved, and q with it."""
    moved = 1.0
    spec = f"linear-gaussian:dim=2,points=3,perturbation=0{options}"
    work = prepare(make_problem(spec), make_estimator(estimator), num_samples, dtype="float64")
    point = {name: value.clone() for name, value in work.point.items()}
    point["prior_mean"] += moved
    point["bias"] += moved / 2
    return replace(work, point=point)


@cache
def estimates(replicates: int, num_samples: int, options: str = "", estimator: str = "unbiased-log-evidence") -> Params:
    work = workload(num_samples, options, estimator)
    return work.gradient(work.params(replicates), work.draw(work.source("evidence"), replicates))


def exact(work: Workload) -> Params:
    found = work.objective.exact(work.problem, work.params(1), work.num_samples)
    assert found is not None
    return {name: value[0] for name, value in found.items()}


@pytest.mark.parametrize("num_samples", [1, 2])
def test_no_bias(num_samples: int):
    """In standard errors, of which one is less than 1 % of the gradient."""
    right = exact(workload(num_samples))["prior_mean"]
    found = estimates(2**15, num_samples)["prior_mean"]
    error = found.std(0) / math.sqrt(len(found))
    assert (error < 0.01 * right.abs()).all()
    assert ((found.mean(0) - right).abs() < 4.5 * error).all()


def test_the_bound_alone_is_biased_here():
    """So that the test before could fail: q is wider than the posterior, and off it, more for some data than others."""
    work = workload(1, ",posterior_variance=1")
    work.point["bias"].add_(0.5)
    work.point["weight"].mul_(1.6)
    right, replicates = exact(work)["prior_mean"], 2**15
    noise = work.draw(work.source("evidence"), replicates)
    found = work.gradient(work.params(replicates), noise)["prior_mean"]
    bound = work.gradient(work.params(replicates), (noise[0], ()))["prior_mean"]
    error = found.std(0) / math.sqrt(replicates)
    assert ((found.mean(0) - right).abs() < 4.5 * error).all()
    assert ((bound.mean(0) - right).abs() > 10 * error).all()


def test_the_value_is_unbiased_too():
    work = workload()
    assert isinstance(work.problem, LatentVariableProblem)
    params = work.params(2**15)
    value = work.estimator.surrogate(work.problem, params, work.draw(work.source("evidence"), 2**15))
    evidence = work.problem.log_marginal(work.params(1))
    assert evidence is not None
    error = float(value.std()) / math.sqrt(len(value))
    assert abs(float(value.mean() + evidence.sum())) < 4.5 * error < 0.02


def test_the_encoder_has_no_gradient_and_no_noise():
    assert all((exact(workload())[name] == 0).all() for name in ENCODER)
    assert all((estimates(2**15, 2)[name] == 0).all() for name in ENCODER)


def test_where_q_is_the_posterior_the_steps_are_zero():
    """What is left is the noise of the bound, which is known: N/(2 S) for each entry of μ."""
    options = ",posterior_variance=0.5"
    found = estimates(4096, 2, options=options)["prior_mean"]
    torch.testing.assert_close(found, estimates(4096, 2, options=options, estimator="iwae")["prior_mean"])
    variance = found.var(0) / (3 / 4)
    assert ((variance - 1).abs() < 4.5 * math.sqrt(2 / 4096)).all()


def test_steps_fall_as_their_variance_needs():
    """By four for each k: the sum of E[Δ²] / P is finite, and so is that of the samples."""
    work, sizes = workload(2), []
    noise = work.draw(work.source("evidence"), 2**15)
    for step in noise[1][:5]:
        k = int(math.log2(len(step.noise) // 2))
        weight = step.weight * 2 ** (-1.5 * k) * (1 - 2**-1.5)
        torch.testing.assert_close(weight, (weight > 0).double())
        alone = (torch.zeros_like(noise[0]), (step._replace(weight=weight),))
        base = (torch.zeros_like(noise[0]), ())
        params = work.params(2**15)
        change = work.gradient(params, alone)["prior_mean"] - work.gradient(params, base)["prior_mean"]
        sizes.append(float(change.square().sum() / weight.sum()))
    ratios = [first / second for first, second in itertools.pairwise(sizes)]
    assert len(ratios) == 4 and all(2.8 < ratio < 6 for ratio in ratios), ratios  # 2^1.5, where it would not be finite


def test_a_replicate_alone_has_the_estimate_that_it_has_among_others():
    work, replicates = workload(), 16
    noise = work.draw(work.source("evidence"), replicates)
    assert all(isinstance(leaf, Tensor) for leaf in tree_leaves(noise)) and len(noise[1]) > 1
    together = work.gradient(work.params(replicates), noise)["prior_mean"]
    for row in range(replicates):
        taken = [(step, (step.rows == row).nonzero()[:, 0]) for step in noise[1]]
        own = tuple(
            Step(torch.zeros_like(at), step.points[at], step.weight[at], step.noise[:, at])
            for step, at in taken
            if len(at)
        )
        alone = work.gradient(work.params(1), (noise[0][:, row : row + 1], own))["prior_mean"]
        torch.testing.assert_close(alone[0], together[row])


def test_the_mean_number_of_evaluations(monkeypatch: pytest.MonkeyPatch):
    """Samples of a data point; those that fill up a step count as nothing, since one replicate has hardly any."""
    steps = workload(8).draw(workload(8).source("evidence"), 2**15)[1]
    more = [len(step.noise) * (step.weight > 0).sum() for step in steps]
    found = 8 + float(sum(more)) / (3 * 2**15)
    assert UnbiasedLogEvidence().evaluations(make_problem("linear-gaussian"), 8) == 20
    assert found == pytest.approx(20.49, abs=0.6)


def test_mini_batches_have_their_own_data():
    """The mean over batches of one data point is the gradient on all data."""
    made = make_problem("linear-gaussian:dim=2,points=3,perturbation=0,posterior_variance=1")
    work = prepare(made, UnbiasedLogEvidence(), 4, dtype="float64", batch=1)
    work = replace(work, point=workload().point)
    work.point["weight"].mul_(1.6)
    right, replicates = exact(workload())["prior_mean"], 2**14
    found = work.gradient(work.params(replicates), work.draw(work.source("evidence"), replicates))["prior_mean"]
    error = found.std(0) / math.sqrt(replicates)
    assert ((found.mean(0) - right).abs() < 4.5 * error).all() and (error < 0.03 * right.abs()).all()


def test_it_needs_latent_variables():
    assert "latent-variable" in str(UnbiasedLogEvidence().unsupported(make_problem("gaussian-quadratic"), 2))
