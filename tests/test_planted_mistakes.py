"""Mistakes that people make in estimators of their own must be found out; unusual variants that are right must not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from planted import QUADRATIC, Honest, verdict
from torch import Tensor

from estimators.bounds.bound import Bound, log_mean_weight, parted, relative_weights, samples
from estimators.bounds.sticking_the_landing import StickingTheLanding
from estimators.control_variates.expansions import others
from estimators.discrete.rebar import Rebar
from estimators.interface import ControlVariate, Estimator, Objective, Params, Problem, ScoredSamples
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from estimators.score_function import ScoreFunction

LEAVE_ONE_OUT = make_estimator("score-function:control_variate=leave-one-out")
BITS = "bernoulli-toy:dim=2,logit=0.5,t=0.1"
HALF = replace(Rebar(), coefficients={"scale": torch.tensor([0.5]), "log_temperature": torch.tensor([1.0])})
"""Half of the relaxed cost as control, at another temperature."""
LATENT = "linear-gaussian:dim=1,points=1,perturbation=1"


@dataclass(frozen=True)
class SumOverSamples(Honest):
    """The sum over samples in place of their mean."""

    def surrogate(self, problem, params, noise):
        return len(noise) * self.base.surrogate(problem, params, noise)


@dataclass(frozen=True)
class MeanOverEntries(Honest):
    """The mean of the log-density over the entries of the event, in place of its sum."""

    def surrogate(self, problem, params, noise):
        q = problem.distribution(params)
        x = families.sample(q, noise).detach()
        return (problem.cost(x, params).detach() * families.unwrap(q).log_prob(x).mean(-1)).mean(0)


@dataclass(frozen=True)
class AttachedSample(Honest):
    """A score function whose sample comes from `rsample` and was not detached in log q."""

    def surrogate(self, problem, params, noise):
        q = problem.distribution(params)
        x = families.sample(q, noise)
        return (problem.cost(x, params).detach() * q.log_prob(x)).mean(0)


@dataclass(frozen=True)
class AttachedCost(Honest):
    """A score function that differentiates the cost times log q, where the cost depends on the parameters too."""

    def surrogate(self, problem, params, noise):
        q = problem.distribution(params)
        x = families.sample(q, noise).detach()
        return (problem.cost(x, params) * q.log_prob(x)).mean(0)


@dataclass(frozen=True)
class NormalisedLeaveOneOut(ControlVariate):
    """The advantage over the other samples, divided by the standard deviation of the group."""

    def term(self, samples: ScoredSamples) -> Tensor:
        advantage = (samples.cost - others(samples.cost)) / samples.cost.std(0)
        return (samples.cost - advantage) * samples.score


@dataclass(frozen=True)
class SameUniform(Honest):
    """REBAR whose relaxed sample given x is drawn from the uniforms of x, which are not uniform given x."""

    def draw(self, problem, params, num_samples, source):
        noise = self.base.draw(problem, params, num_samples, source)
        return noise | {"v": noise["u"]}


@dataclass(frozen=True)
class CoupledUniform(Honest):
    """REBAR whose relaxed sample given x is the one that x came from, by uniforms that are right (Tucker 2017)."""

    def draw(self, problem, params, num_samples, source):
        noise = self.base.draw(problem, params, num_samples, source)
        p, u = problem.distribution(params).base_dist.probs, noise["u"]
        given = torch.where(u < p, 1 - u / p, (1 - u) / (1 - p))
        return noise | {"v": given.clamp(1e-6, 1 - 1e-6)}


@dataclass(frozen=True)
class SharedUniform(Honest):
    """REBAR with one draw of the relaxed sample given x for all S: right."""

    def draw(self, problem, params, num_samples, source):
        noise = self.base.draw(problem, params, num_samples, source)
        return noise | {"v": noise["v"][:1].expand_as(noise["v"])}


@dataclass(frozen=True)
class ExactBound(Objective):
    """The bound of K samples of one number each, by quadrature over their noise."""

    name: str = "bound by quadrature"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params:
        nodes, weights = (torch.from_numpy(one) for one in np.polynomial.hermite_e.hermegauss(40))
        noise = torch.cartesian_prod(*[nodes] * num_samples).T[..., None, None]
        chances = torch.cartesian_prod(*[weights / weights.sum()] * num_samples).prod(-1)

        exactly = problem.to("cpu", torch.float64)

        def bound(point: Params) -> Tensor:
            each = {name: value.expand(len(chances), *value.shape[1:]) for name, value in point.items()}
            return (chances * make_estimator("iwae").surrogate(exactly, each, noise)).sum()

        return torch.func.grad(bound)(params)


class OfTheBound(Bound):
    """It claims to estimate the bound's gradient."""

    def bound(self, num_samples: int) -> Objective:
        return ExactBound()


@dataclass(frozen=True)
class DetachedWeights(OfTheBound):
    """The gradient of IWAE, written as a sum weighted by the relative weights: right."""

    def negative_bound(self, problem, params, noise):
        log_weights = problem.log_weights(samples(problem, params, noise), params)
        return -(relative_weights(log_weights) * log_weights).sum((0, 2))


@dataclass(frozen=True)
class AttachedWeights(OfTheBound):
    """The same, but the relative weights were not detached."""

    def negative_bound(self, problem, params, noise):
        log_weights = problem.log_weights(samples(problem, params, noise), params)
        return -(log_weights.softmax(0) * log_weights).sum((0, 2))


@dataclass(frozen=True)
class AttachedSquares(OfTheBound):
    """The doubly reparameterized gradient, whose squared relative weights were not detached in the encoder's term."""

    def negative_bound(self, problem, params, noise):
        model, fixed = parted(problem, params)
        z = samples(problem, params, noise)
        encoder = (problem.log_weights(z, params).softmax(0) ** 2 * problem.log_weights(z, fixed)).sum((0, 2))
        return -log_mean_weight(problem.log_weights(z.detach(), model)) - encoder


@dataclass(frozen=True)
class Landed(OfTheBound):
    """Sticking the landing, which leaves out the score in the weights also where it has K > 1 samples."""

    def negative_bound(self, problem, params, noise):
        return StickingTheLanding().negative_bound(problem, params, noise)


MISTAKES = [
    (SumOverSamples(), QUADRATIC, 2),
    (SumOverSamples(LEAVE_ONE_OUT), QUADRATIC, 2),
    (MeanOverEntries(), QUADRATIC, 2),
    (AttachedSample(), QUADRATIC, 2),
    (AttachedCost(), LATENT, 2),
    (ScoreFunction(NormalisedLeaveOneOut()), QUADRATIC, 4),
    (SameUniform(Rebar()), BITS, 8),
    (AttachedWeights(), LATENT, 2),
    (AttachedSquares(), LATENT, 2),
    (Landed(), LATENT, 2),
]
HARMLESS = [
    (Honest(HALF), BITS, 1),
    (CoupledUniform(Rebar()), BITS, 1),
    (SharedUniform(Rebar()), BITS, 4),
    (DetachedWeights(), LATENT, 2),
]


@pytest.mark.parametrize(("estimator", "problem", "num_samples"), MISTAKES)
def test_is_found_out(estimator: Estimator, problem: str, num_samples: int) -> None:
    found = verdict(make_problem(problem), estimator, num_samples, replicates=20_000)
    assert found.verdict == "biased", f"p = {found.p_value}, detectable {found.detectable_bias}"


@pytest.mark.parametrize(("estimator", "problem", "num_samples"), HARMLESS)
def test_a_variant_that_is_right_is_not(estimator: Estimator, problem: str, num_samples: int) -> None:
    found = verdict(make_problem(problem), estimator, num_samples, replicates=100_000)
    assert found.verdict != "biased", f"p = {found.p_value}, detectable {found.detectable_bias}"
