"""The path derivative: nothing but the path, at the target of pathwise."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from latent_programs import BY_HAND, Parts, Whole
from test_known_variances import errors_away, measured
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.by_slopes.path_derivative import PathDerivative
from estimators.interface import LatentVariableProblem, Params, Problem, replicated
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.ranking.candidates import candidates
from experiments.sweep import Stop

PATH, CLOSED = "path-derivative", "path-derivative:entropy=closed-form"
LANDED = "linear-gaussian:posterior_variance=0.5,perturbation=0"
"""q is the posterior."""


def gradient(problem: Problem, spec: str, num_samples: int = 4, like: Problem | None = None) -> Params:
    """Of the noise that is drawn for a like problem."""
    made, params = make_estimator(spec), replicated(problem.initial_params(), 3)
    noise = made.draw(like or problem, params, num_samples, IID(5, dtype=torch.float64))
    return made.gradient(problem, params, noise)


@pytest.mark.parametrize("num_samples", [1, 8])
@pytest.mark.parametrize("spec", [PATH, f"stratified:base={PATH}", f"per-data-point:base={PATH}"])
def test_the_encoder_stands_still_where_q_is_the_posterior(spec: str, num_samples: int) -> None:
    problem = make_problem(LANDED)
    found = gradient(problem, spec, num_samples)
    plain = gradient(problem, "pathwise", num_samples)
    for name in ("weight", "bias"):
        assert found[name].abs().max() < 1e-12 < plain[name].abs().max()
    if spec == PATH:
        assert torch.equal(found["prior_mean"], plain["prior_mean"])


@pytest.mark.parametrize("num_samples", [1, 8])
def test_its_noise_is_that_of_the_path_alone(num_samples: int) -> None:
    """The slope in z is (z − μ) + (z − x) − (z − m)/v, whose noise is (2 − 1/v) √v ε; of pathwise it is 2 √v ε."""
    problem, v, points = "linear-gaussian:dim=1,points=3,perturbation=1,posterior_variance=0.8", 0.8, 3
    for spec, slope in ((PATH, 2 - 1 / v), ("pathwise", 2.0)):
        found = measured(problem, spec, num_samples, 20_000)
        wanted = points * slope**2 * v / num_samples
        assert errors_away(found, "bias", wanted) < 4


UNBIASED = {
    "linear-gaussian:dim=2,perturbation=1,points=2": 10_000,
    "logistic-regression": 2_000,
    "digits-vae:latent=2": 20_000,
}


@pytest.mark.parametrize("num_samples", [1, 8, 64])
@pytest.mark.parametrize("spec", [PATH, CLOSED])
@pytest.mark.parametrize(
    "problem", [pytest.param(name, marks=[pytest.mark.slow] if "vae" in name else []) for name in UNBIASED]
)
def test_the_target_is_the_elbo_with_any_number_of_samples(problem: str, spec: str, num_samples: int) -> None:
    work = prepare(make_problem(problem), make_estimator(spec), num_samples)
    assert work.estimator.claim(work.problem, num_samples) == "unbiased"
    found = estimate(work, find_reference(work), Stop(replicates=UNBIASED[problem] // num_samples + 500))
    assert found.verdict != "biased", found.p_value
    assert found.detectable_bias is not None and found.detectable_bias < 0.1


@dataclass(frozen=True)
class Shared(LatentVariableProblem):
    """z ~ q = N(θ, s²), p(z) = N(0, 1), p(x|z) = N(z + θ, 1): θ is in q and in the model."""

    encoder: ClassVar[tuple[str, ...]] = ("theta", "log_scale")
    observation: ClassVar[Tensor] = torch.tensor([[2.0]], dtype=torch.float64)  # pyright: ignore

    def initial_params(self) -> Params:
        return {name: torch.tensor(0.7, dtype=torch.float64) for name in self.encoder}

    def posterior(self, params: Params) -> Distribution:
        mean, scale = params["theta"], params["log_scale"].exp()
        return Independent(Normal(mean[:, None, None], scale[:, None, None]), 1)

    def log_joint(self, z: Tensor, params: Params) -> Tensor:
        apart = self.observation - z - params["theta"][:, None, None]
        return -((z**2 + apart**2) / 2).sum(-1)

    def expected_cost(self, params: Params) -> Tensor:
        theta, variance = params["theta"], (2 * params["log_scale"]).exp()
        return (theta**2 + (2 - 2 * theta) ** 2) / 2 + variance - params["log_scale"]


def test_a_parameter_of_q_and_the_model_keeps_its_part_in_the_model() -> None:
    for spec in (PATH, CLOSED):
        work = prepare(Shared(), make_estimator(spec), 2)
        found = estimate(work, find_reference(work), Stop(replicates=20_000))
        assert found.verdict != "biased" and found.detectable_bias is not None and found.detectable_bias < 0.1


def test_the_entropy_in_closed_form_is_pathwise_where_its_path_has_no_noise() -> None:
    problem = make_problem("linear-gaussian")
    found, plain = gradient(problem, CLOSED), gradient(problem, "pathwise")
    for name, value in plain.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("made", [Whole(), Parts()])
def test_a_program_is_the_model_written_by_hand(made: Problem) -> None:
    found, wanted = gradient(made, PATH, like=BY_HAND), gradient(BY_HAND, PATH)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize(
    ("spec", "problem", "why"),
    [
        (PATH, "gaussian-quadratic", "path-derivative needs an entropy in the cost: a latent-variable problem"),
        (PATH, "digits-sbn:latent=2,points=2", "samples of Bernoulli are not differentiable in its parameters"),
        (CLOSED, "state-space:steps=3", "the entropy of Joint has no closed form here: use path-derivative with"),
    ],
)
def test_where_it_does_not_fit_it_says_why(spec: str, problem: str, why: str) -> None:
    reason = make_estimator(spec).unsupported(make_problem(problem), 4)
    assert reason is not None and reason.startswith(why) and "\n" not in reason


def test_a_ranking_tries_it_and_its_closed_form_where_that_is_another_estimate() -> None:
    found = candidates(make_problem("linear-gaussian:dim=2,points=2").to("cpu", torch.float32), 4)
    assert PATH in found.supported and found.same[CLOSED] == "pathwise"
    found = candidates(make_problem("logistic-regression").to("cpu", torch.float32), 4)
    assert {PATH, CLOSED} <= {*found.supported}


def test_an_entropy_that_is_not_that_of_the_law_is_not_believed() -> None:
    class Wider(Normal):
        def rsample(self, sample_shape=()):  # pyright: ignore
            return 2 * super().rsample(sample_shape)

    class Model(Shared):
        def posterior(self, params: Params) -> Distribution:
            q = super().posterior(params).base_dist  # type: ignore[attr-defined]
            return Independent(Wider(q.loc, q.scale), 1)

    made = Model()
    assert PathDerivative().unsupported(made, 4) is None
    assert PathDerivative("closed-form").unsupported(made, 4) == (
        "Wider has the entropy of a class whose law it does not keep"
    )
