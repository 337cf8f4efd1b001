"""Estimators with the field's usual mistakes, each of which claims to be unbiased and must be found out."""

from dataclasses import dataclass, replace

import pytest
import torch
from planted import QUADRATIC, Honest, verdict
from torch import Tensor

from estimators.interface import ControlVariate, Estimator, ScoredSamples
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from estimators.score_function import ScoreFunction
from estimators.wrappers.stratified import Stratified
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.sweep import Stop


@dataclass(frozen=True)
class MeanBaseline(ControlVariate):
    """The mean cost as baseline, the own sample included: shrinks the gradient by 1 − 1/S."""

    def term(self, samples: ScoredSamples) -> Tensor:
        return samples.cost.mean(0) * samples.score


@dataclass(frozen=True)
class EagerMovingAverage(ControlVariate):
    """A moving average that contains the current step already: shrinks the gradient by (1 − decay)/S."""

    decay: float = 0.9

    def term(self, samples: ScoredSamples) -> Tensor:
        past = samples.problem.exact_cost({name: value.double() for name, value in samples.params.items()})
        assert past is not None
        average = self.decay * past.detach().to(samples.cost.dtype) + (1 - self.decay) * samples.cost.mean(0)
        return average * samples.score


@dataclass(frozen=True)
class TooLarge(Honest):
    """Every entry 2 % too large."""

    def surrogate(self, problem, params, noise):
        return 1.02 * self.base.surrogate(problem, params, noise)


@dataclass(frozen=True)
class OneEntryTooLarge(Honest):
    """One entry of the gradient 2 % too large."""

    def surrogate(self, problem, params, noise):
        first = params["loc"][:, :1]
        stretched = torch.cat([first + 0.02 * (first - first.detach()), params["loc"][:, 1:]], dim=1)
        return self.base.surrogate(problem, params | {"loc": stretched}, noise)


@dataclass(frozen=True)
class MissingDirectTerm(Honest):
    """Pathwise that forgets how the cost itself depends on the parameters."""

    def surrogate(self, problem, params, noise):
        constant = {name: value.detach() for name, value in params.items()}
        return problem.cost(families.sample(problem.distribution(params), noise), constant).mean(0)


@dataclass(frozen=True)
class DetachedPath(Honest):
    """Pathwise through a sample whose dependence on the scale was cut."""

    def surrogate(self, problem, params, noise):
        cut = params | {"log_scale": params["log_scale"].detach()}
        return problem.cost(families.sample(problem.distribution(cut), noise), params).mean(0)


@dataclass(frozen=True)
class ScoreWithoutDirectTerm(Honest):
    """A score function that forgets the same."""

    def surrogate(self, problem, params, noise):
        q = problem.distribution(params)
        x = families.sample(q, noise).detach()
        return (problem.cost(x, params).detach() * q.log_prob(x)).mean(0)


@dataclass(frozen=True)
class GumbelSoftmax(Estimator):
    """A relaxed Bernoulli whose temperature does no harm, it claims (Maddison 2017; Jang 2017)."""

    temperature: float = 0.5

    def draw(self, problem, params, num_samples, source):
        return source.uniform((num_samples, *params["logits"].shape))

    def surrogate(self, problem, params, noise):
        relaxed = torch.sigmoid((params["logits"] + torch.logit(noise)) / self.temperature)
        return problem.cost(relaxed, params).mean(0)


@dataclass(frozen=True)
class NaiveVonMises(Estimator):
    """Differentiates the accepted proposals of a rejection sampler, whose acceptance depends on the parameters too.

    The sampler is that of Best & Fisher 1979.
    """

    def draw(self, problem, params, num_samples, source):
        shape = (num_samples, *params["loc"].shape)
        concentration = params["log_concentration"].exp()
        accepted = torch.zeros(shape)
        missing = torch.ones(shape, dtype=torch.bool)
        while missing.any():
            z, level = (torch.pi * source.uniform(shape)).cos(), source.uniform(shape)
            surplus = concentration * (proposal_radius(concentration) - proposal(z, concentration))
            good = missing & ((surplus / level).log() + 1 - surplus >= 0)
            accepted, missing = torch.where(good, z, accepted), missing & ~good
        return {"z": accepted, "sign": (source.uniform(shape) - 0.5).sign()}

    def surrogate(self, problem, params, noise):
        angle = proposal(noise["z"], params["log_concentration"].exp()).acos()
        return problem.cost(params["loc"] + noise["sign"] * angle, params).mean(0)


def proposal_radius(concentration: Tensor) -> Tensor:
    tau = 1 + (1 + 4 * concentration**2).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * concentration)
    return (1 + rho**2) / (2 * rho)


def proposal(z: Tensor, concentration: Tensor) -> Tensor:
    radius = proposal_radius(concentration)
    return ((1 + radius * z) / (radius + z)).clamp(-1 + 1e-6, 1 - 1e-6)


CONTROLS = [
    (ScoreFunction(MeanBaseline()), QUADRATIC, 4),
    (ScoreFunction(EagerMovingAverage()), QUADRATIC, 2),
    (Honest(make_estimator("importance-weighted:self_normalized=true")), QUADRATIC, 4),
    (Honest(Stratified(make_estimator("score-function:control_variate=leave-one-out"), "antithetic")), QUADRATIC, 4),
    (TooLarge(), QUADRATIC, 8),
    (TooLarge(make_estimator("score-function:control_variate=leave-one-out")), QUADRATIC, 8),
    (OneEntryTooLarge(), QUADRATIC, 8),
    (DetachedPath(), QUADRATIC, 8),
    (Honest(), "gaussian-step:dim=2", 8),
    (NaiveVonMises(), "von-mises-cost:dim=2", 2),
    (GumbelSoftmax(), "bernoulli-toy:dim=2,logit=0.5,t=0.1", 2),
]


@pytest.mark.parametrize(("estimator", "problem", "num_samples"), CONTROLS)
def test_is_found_out(estimator: Estimator, problem: str, num_samples: int) -> None:
    found = verdict(make_problem(problem), estimator, num_samples)
    assert found.verdict == "biased", f"p = {found.p_value}, detectable {found.detectable_bias}"


@pytest.mark.parametrize("estimator", [MissingDirectTerm(), ScoreWithoutDirectTerm()])
def test_a_missing_direct_term_is_found_out(estimator: Estimator) -> None:
    found = verdict(make_problem("logistic-regression:log_scale=4"), estimator, 4, replicates=20_000)
    assert found.verdict == "biased", f"p = {found.p_value}, detectable {found.detectable_bias}"


@pytest.mark.parametrize("base", ["pathwise", "score-function:control_variate=leave-one-out"])
def test_the_same_without_the_mistake_is_not(base: str) -> None:
    found = verdict(make_problem(QUADRATIC), Honest(make_estimator(base)), 8)
    assert found.verdict == "unbiased", f"p = {found.p_value}, detectable {found.detectable_bias}"


def test_a_moving_average_of_earlier_steps_is_not_found_out() -> None:
    problem = make_problem(QUADRATIC)
    work = prepare(problem, make_estimator("score-function:control_variate=moving-average"), 2)
    assert work.fitted
    updated = work.estimator.update(work.problem, work.params(1), work.draw(work.source("earlier"), 1))
    later = replace(work, estimator=updated)
    found = estimate(later, find_reference(later), Stop(replicates=400_000))
    assert found.verdict != "biased"
