"""VarGrad: the gradient of half the variance of the log-ratio, and where it is leave-one-out."""

import pytest
import torch

from estimators.interface import LatentVariableProblem, Params
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling.families import log_prob

VARGRAD, LOO = (f"score-function:control_variate={name}" for name in ("vargrad", "leave-one-out"))
PROBLEMS = ["linear-gaussian:dim=2,perturbation=1,points=3", "digits-sbn:latent=2,points=3"]
POSTERIOR = "linear-gaussian:dim=2,perturbation=0,points=3,posterior_variance=0.5"
SAMPLES, REPLICATES = 4, 5
each_problem = pytest.mark.parametrize("spec", PROBLEMS)


def latent(spec: str) -> LatentVariableProblem:
    found = make_problem(spec)
    assert isinstance(found, LatentVariableProblem)
    return found


def scattered(made: LatentVariableProblem, size: float = 0.1) -> Params:
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + size * torch.randn(REPLICATES, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in made.initial_params().items()
    }


def gradients(estimator: str, made: LatentVariableProblem, params: Params) -> tuple[Params, torch.Tensor]:
    """And the samples, the same for all."""
    found = make_estimator(estimator)
    noise = found.draw(made, params, SAMPLES, IID(0, dtype=torch.float64))
    plain = make_estimator("score-function")
    z = plain._samples(made, params, plain.draw(made, params, SAMPLES, IID(0, dtype=torch.float64))).x  # type: ignore[attr-defined]
    return found.gradient(made, params, noise), z


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@each_problem
def test_the_encoder_follows_half_the_variance_of_the_log_ratio(spec: str) -> None:
    """Of all data points together, and under `per-data-point` of each; divided by S − 1."""
    made = latent(spec)
    params = scattered(made)
    whole, z = gradients(VARGRAD, made, params)
    local, _ = gradients(f"per-data-point:base=({VARGRAD})", made, params)

    def variances(point: Params) -> torch.Tensor:
        return -made.log_weights(z, point)

    of_whole = torch.func.grad(lambda point: variances(point).sum(-1).var(0).sum() / 2)(params)
    of_each = torch.func.grad(lambda point: variances(point).var(0).sum() / 2)(params)
    for name in made.encoder:
        if name in params:
            close(whole[name], of_whole[name])
            close(local[name], of_each[name])


@each_problem
def test_it_is_leave_one_out_without_the_encoders_direct_term(spec: str) -> None:
    made = latent(spec)
    params = scattered(made)
    found, z = gradients(VARGRAD, made, params)
    other, _ = gradients(LOO, made, params)
    direct = torch.func.grad(lambda point: log_prob(made.distribution(point), z).mean(0).sum())(params)
    for name in params:
        close(found[name], other[name] - direct[name])
        if name not in made.encoder:
            assert torch.equal(direct[name], torch.zeros_like(direct[name]))


@pytest.mark.parametrize("wrap", ["{}", "per-data-point:base=({})"])
def test_the_encoder_has_no_noise_where_q_is_the_posterior(wrap: str) -> None:
    made = latent(POSTERIOR)
    params = {name: value.expand(REPLICATES, *value.shape) for name, value in made.initial_params().items()}
    found, _ = gradients(wrap.format(VARGRAD), made, params)
    other, _ = gradients(wrap.format(LOO), made, params)
    for name in made.encoder:
        assert found[name].abs().max() < 1e-10
        assert other[name].std() > 0.1
    assert found["prior_mean"].std() > 0.1


@each_problem
@pytest.mark.parametrize("wrap", ["{}", "per-data-point:base=({})"])
def test_a_batch_is_scaled(spec: str, wrap: str) -> None:
    made = latent(spec)
    params = scattered(made)
    once, _ = gradients(wrap.format(VARGRAD), made, params)
    twice, _ = gradients(wrap.format(VARGRAD), made.conditioned(made.observation, 2.0), params)
    for name in params:
        close(twice[name], 2 * once[name])


def test_it_needs_a_log_ratio_and_two_samples() -> None:
    found = make_estimator(VARGRAD)
    assert "latent-variable problem" in (found.unsupported(make_problem("gaussian-quadratic"), 4) or "")
    assert "at least 2" in (found.unsupported(latent(PROBLEMS[0]), 1) or "")
