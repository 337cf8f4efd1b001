"""Bounds of K samples: identities at fixed noise, agreement of estimators of one target, and the known limits."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from estimators.bounds.bound import samples
from estimators.bounds.vimco import OVIS, VIMCO, _log_sum_of_others
from estimators.interface import Estimator, LatentVariableProblem, Params, derivative, replicated
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.measuring.reference import NoReference, Reference
from experiments.sweep import Stop

FAR = "linear-gaussian:dim=2,perturbation=1,points=2"
NEAR = "linear-gaussian:dim=2,points=2"
ENCODER = ("weight", "bias")


def workload(estimator: str, num_samples: int, problem: str = FAR) -> Workload:
    return prepare(make_problem(problem), make_estimator(estimator), num_samples, dtype="float64")


def gradients(estimator: str, num_samples: int, problem: str = FAR) -> Params:
    """Of the same noise for every estimator: 64 replicates."""
    work = workload(estimator, num_samples, problem)
    return work.gradient(work.params(64), work.draw(work.source("bounds"), 64))


def values(estimator: str, num_samples: int, problem: str = FAR, replicates: int = 4096) -> Tensor:
    work = workload(estimator, num_samples, problem)
    params = work.params(replicates)
    return work.estimator.surrogate(work.problem, params, work.draw(work.source("values"), replicates)).detach()


def log_weights(work: Workload, replicates: int = 64) -> Tensor:
    assert isinstance(work.problem, LatentVariableProblem)
    params = work.params(replicates)
    noise = work.draw(work.source("bounds"), replicates)
    return work.problem.log_weights(work.problem.posterior(params).rsample(noise.shape[:1]), params).detach()


@cache
def measured(estimator: str, num_samples: int, problem: str = FAR, replicates: int = 200_000) -> Measurement:
    """Without a reference, which is measured for a bound, and takes longer."""
    return estimate(workload(estimator, num_samples, problem), None, Stop(replicates=replicates))


def test_the_problem_is_what_its_formulas_say():
    """log p(x, z) − log p(x) is the density of the posterior N((μ + x)/2, I/2)."""
    made = make_problem(FAR)
    assert isinstance(made, LatentVariableProblem)
    params = replicated(made.initial_params(), 3)
    z = torch.randn(5, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    posterior = torch.distributions.Normal((params["prior_mean"].unsqueeze(1) + made.observation) / 2, math.sqrt(0.5))  # type: ignore[attr-defined]
    marginal = made.log_marginal(params)
    assert marginal is not None
    torch.testing.assert_close(made.log_joint(z, params) - marginal, posterior.log_prob(z).sum(-1))
    torch.testing.assert_close(made.cost(z, params), -made.log_weights(z, params).sum(-1))


@pytest.mark.parametrize("num_samples", [1, 8])
@pytest.mark.parametrize("estimator", ["dreg", "sticking-the-landing"])
def test_the_encoder_has_no_noise_where_q_is_the_posterior(estimator: str, num_samples: int):
    found = gradients(estimator, num_samples, "linear-gaussian:perturbation=0,posterior_variance=0.5")
    assert all(found[name].abs().max() < 1e-10 for name in ENCODER)
    assert found["prior_mean"].std() > 0.1
    noisy = gradients("iwae", 1, "linear-gaussian:perturbation=0,posterior_variance=0.5")
    assert all(noisy[name].std() > 0.1 for name in ENCODER)


def test_one_sample_is_the_negative_elbo():
    pathwise, sticking = gradients("pathwise", 1), gradients("sticking-the-landing", 1)
    for name in pathwise:
        torch.testing.assert_close(gradients("iwae", 1)[name], pathwise[name])
        torch.testing.assert_close(gradients("renyi", 1)[name], pathwise[name])
        torch.testing.assert_close(gradients("dreg", 1)[name], sticking[name])


def test_the_models_parameters_are_those_of_iwae_sample_by_sample():
    iwae = gradients("iwae", 8)["prior_mean"]
    for estimator in ("dreg", "sticking-the-landing", "vimco", "ovis", "reweighted-wake-sleep", "renyi:alpha=0"):
        torch.testing.assert_close(gradients(estimator, 8)["prior_mean"], iwae)


@pytest.mark.parametrize("estimator", ["dreg", "vimco", "ovis", "ovis:gamma=1"])
@pytest.mark.parametrize("num_samples", [2, 8])
def test_estimators_of_the_bound_agree(estimator: str, num_samples: int):
    """In standard errors of the difference, entry by entry."""
    one, two = measured("iwae", num_samples), measured(estimator, num_samples)
    for name in one.mean:
        error = np.sqrt(one.variance[name] / one.replicates + two.variance[name] / two.replicates)
        assert np.all(np.abs(one.mean[name] - two.mean[name]) < 4.5 * error)


def test_references_of_different_bounds_are_different():
    found = [find_reference(workload("iwae", k)) for k in (1, 2, 8)]
    assert [one.kind for one in found if isinstance(one, Reference)] == ["exact", "measured", "measured"]
    others = [find_reference(workload(spec, 2)) for spec in ("dreg", "vimco", "ovis", "ovis:gamma=1")]
    assert all(isinstance(one, Reference) and one.kind == "measured" for one in others)
    first, second = (one.gradient for one in found[1:] if isinstance(one, Reference))
    assert np.abs(first - second).max() > 0.05
    assert find_reference(workload("renyi", 2)) == NoReference()


def test_the_bound_grows_with_k_up_to_the_evidence():
    problem = "linear-gaussian:dim=2,perturbation=0.3,points=2"
    work = workload("iwae", 1, problem)
    assert isinstance(work.problem, LatentVariableProblem)
    evidence = work.problem.log_marginal(work.params(1))
    assert evidence is not None
    bounds = [-values("iwae", k, problem) for k in (1, 4, 16, 1024)]
    means, errors = (
        [float(figure) for figure in figures]
        for figures in zip(*((b.mean(), b.std() / 64) for b in bounds), strict=True)
    )
    assert all(means[i] < means[i + 1] - 3 * (errors[i] + errors[i + 1]) for i in range(2))
    assert abs(means[-1] - float(evidence.sum())) < 4 * errors[-1] + 0.01


def test_bounds_are_reported_against_the_evidence_too():
    """At one sample the gap is that of the negative ELBO, which has a formula; it closes as K grows."""
    work = workload("dreg", 1)
    params = {name: value.double().requires_grad_() for name, value in work.params(1).items()}
    assert isinstance(work.problem, LatentVariableProblem)
    log_marginal, cost = work.problem.log_marginal(params), work.problem.exact_cost(params)
    assert log_marginal is not None and cost is not None
    gap = derivative((cost + log_marginal.sum()).sum(), params)
    exact = float(sum(value.square().sum() for value in gap.values()))
    found = [measured("dreg", k, replicates=50_000).diagnostics for k in (1, 4, 64)]
    assert found[0]["evidence_squared_bias_low"] < exact < found[0]["evidence_squared_bias_high"]
    assert found[0]["evidence_squared_bias_low"] > found[1]["evidence_squared_bias_high"]
    assert found[1]["evidence_squared_bias_low"] > found[2]["evidence_squared_bias_high"]
    assert "evidence_squared_bias" not in measured("pathwise", 1, replicates=640).diagnostics


def test_renyi_lies_between_the_elbo_and_iwae():
    torch.testing.assert_close(values("renyi:alpha=0", 8), values("iwae", 8))
    nearly = values("renyi:alpha=0.99999", 8)
    work = workload("pathwise", 8)
    elbo = work.estimator.surrogate(work.problem, work.params(4096), work.draw(work.source("values"), 4096)).detach()
    torch.testing.assert_close(nearly, elbo, rtol=1e-3, atol=1e-3)
    assert (values("renyi", 8) >= values("iwae", 8)).all()


def test_baselines_by_hand():
    logs = log_weights(workload("vimco", 4))
    size = len(logs)
    for k in range(size):
        others = [j for j in range(size) if j != k]
        stand_in = torch.cat([logs[others], logs[others].mean(0, keepdim=True)])
        wanted = stand_in.logsumexp(0) - math.log(size)
        torch.testing.assert_close(VIMCO().baselines(logs)[k], wanted)
        for gamma in (0.0, 0.3, 1.0):
            wanted = logs[others].logsumexp(0) - math.log(size - 1) + (1 - gamma) * math.log(1 - 1 / size)
            torch.testing.assert_close(OVIS(gamma).baselines(logs)[k], wanted)


@pytest.mark.parametrize("scale", [1e3, 1e5])
def test_baselines_of_very_unequal_weights_are_finite(scale: float):
    logs = scale * torch.randn(16, 5, 3, generator=torch.Generator().manual_seed(0))
    exact = torch.stack([torch.cat([logs[:k], logs[k + 1 :]]).logsumexp(0) for k in range(16)])
    torch.testing.assert_close(_log_sum_of_others(logs), exact)
    assert all(made.baselines(logs).isfinite().all() for made in (VIMCO(), OVIS()))


def test_baselines_do_not_see_their_own_sample():
    logs = log_weights(workload("vimco", 4))
    moved = logs.clone()
    moved[2] += 3
    for made in (VIMCO(), OVIS(), OVIS(1.0)):
        torch.testing.assert_close(made.baselines(moved)[2], made.baselines(logs)[2])
        assert (made.baselines(moved)[1] != made.baselines(logs)[1]).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_what_equal_weights_leave_of_ovis(gamma: float):
    """Each score is weighed by −(1 − γ) log(1 − 1/K) − 1/K: of order 1/K² for γ = 0, −1/K for γ = 1."""
    at_posterior, size = "linear-gaussian:dim=2,perturbation=0,posterior_variance=0.5", 8
    found, whole = (gradients(f"ovis:gamma={value}", size, at_posterior) for value in (gamma, 1))
    part = 1 + size * (1 - gamma) * math.log(1 - 1 / size)
    for name in ENCODER:
        torch.testing.assert_close(found[name], part * whole[name])


def test_reweighted_wake_sleep_tends_to_the_inclusive_divergence():
    """Of which the gradient is known: −Σ E_{p(z|x)}[∂ log q(z|x)], with p(z|x) = N((μ + x)/2, I/2)."""
    problem = make_problem("linear-gaussian:dim=2,perturbation=0.2,points=2")
    point, data, v = problem.initial_params(), problem.observation, problem.posterior_variance  # type: ignore[attr-defined]
    residual = (point["prior_mean"] + data) / 2 - data @ point["weight"].T - point["bias"]
    wanted = {"weight": -(residual.T @ data) / v, "bias": -residual.sum(0) / v}
    found = estimate(workload("reweighted-wake-sleep", 512, problem.spec), None, Stop(replicates=20_000))
    for name, value in wanted.items():
        error = np.sqrt(found.variance[name] / found.replicates)
        assert np.all(np.abs(found.mean[name] - value.numpy()) < 4.5 * error + 0.01 * float(value.abs().max()))


def test_bounds_refuse_what_has_no_latent_variables():
    for name in ("iwae", "dreg", "sticking-the-landing", "vimco", "ovis", "reweighted-wake-sleep", "renyi"):
        made: Estimator = make_estimator(name)
        assert "latent-variable problem" in (made.unsupported(make_problem("gaussian-quadratic"), 4) or "")
    assert make_estimator("vimco").unsupported(make_problem(NEAR), 1) is not None


@pytest.mark.parametrize("spec", ["ovis:gamma=1.5", "ovis:gamma=-1", "renyi:alpha=1", "renyi:alpha=nan"])
def test_options_out_of_range_are_refused(spec: str):
    with pytest.raises(ValueError, match=r"gamma must lie|alpha must be|finite"):
        make_estimator(spec)


def by_hand(estimator: str) -> tuple[LatentVariableProblem, Params, Tensor, Params]:
    """The problem, parameters to differentiate, samples, and the gradient of the estimator on them."""
    work = workload(estimator, 3)
    assert isinstance(work.problem, LatentVariableProblem)
    params = {name: value.clone().requires_grad_() for name, value in work.params(5).items()}
    noise = work.draw(work.source("bounds"), 5)
    return work.problem, params, samples(work.problem, params, noise), work.gradient(params, noise)


@pytest.mark.parametrize("alpha", [-1.0, 0.5, 2.0])
def test_renyi_is_the_derivative_of_its_formula(alpha: float):
    problem, params, z, found = by_hand(f"renyi:alpha={alpha}")
    weights = problem.log_weights(z, params).exp()
    bound = (weights ** (1 - alpha)).mean(0).log() / (1 - alpha)
    for name, value in zip(params, torch.autograd.grad(-bound.sum(), list(params.values())), strict=True):
        torch.testing.assert_close(found[name], value)


def test_reweighted_wake_sleep_by_hand():
    """The encoder's scores, each weighed by its part of the weights."""
    problem, params, z, found = by_hand("reweighted-wake-sleep")
    z = z.detach()
    weights = problem.log_weights(z, params).detach().exp()
    total = sum((weights[k] / weights.sum(0) * problem.log_q(z[k : k + 1], params)[0]).sum() for k in range(3))
    assert isinstance(total, Tensor)
    for name, value in zip(ENCODER, torch.autograd.grad(-total, [params[name] for name in ENCODER]), strict=True):
        torch.testing.assert_close(found[name], value)
