"""Relaxations of discrete x, and the estimators with a control variate made of them."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from discrete_workloads import TOY, measured, workload
from torch import Tensor
from torch.distributions import Bernoulli, OneHotCategorical

from estimators.discrete.rebar import Rebar, Relax
from estimators.discrete.relaxations import relaxation
from estimators.interface import Estimator
from estimators.noise import IID
from estimators.registry import make_problem
from estimators.sampling import families
from experiments.gradients.prepare import prepare
from experiments.gradients.steps import Eager


class Given(IID):
    """Hands out the uniforms that it was given."""

    def __init__(self, u: Tensor):
        super().__init__(0, dtype=torch.float64)
        self.u = u

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        assert tuple(shape) == tuple(self.u.shape)
        return self.u


# Relaxations


@pytest.mark.parametrize("kind", ["Bernoulli", "OneHotCategorical"])
def test_a_relaxed_sample_given_the_discrete_one(kind: str) -> None:
    """z̃ has the distribution of z, stands for the same x, and its derivative is that of the transport at fixed v."""
    logits = torch.tensor([[0.7, -1.2, 0.1]], dtype=torch.float64)
    q = Bernoulli(logits=logits) if kind == "Bernoulli" else OneHotCategorical(logits=logits)
    relax, source = relaxation(q), IID(0, dtype=torch.float64)
    shape = (100_000, 1, 3)
    z = relax.perturbed(q, source.uniform(shape))
    x = relax.hard(z)
    again = relax.conditional(q, x, source.uniform(shape))
    assert torch.equal(relax.hard(again), x)
    for first, second in zip(z.squeeze(1).T, again.squeeze(1).T, strict=True):
        for power in (1, 2):
            difference = first**power - second**power
            assert abs(float(difference.mean())) < 4.5 * float(difference.std()) / math.sqrt(len(first))
    mean = x.squeeze(1).mean(0)
    assert ((mean - q.mean.squeeze(0)).abs() < 4.5 * (q.variance.squeeze(0) / len(x)).sqrt()).all()


def test_binary_samples_are_those_of_the_quantile_function() -> None:
    q = Bernoulli(logits=torch.tensor([[0.7, -1.2]], dtype=torch.float64))
    u = IID(0, dtype=torch.float64).uniform((1000, 1, 2))
    relax = relaxation(q)
    assert torch.equal(relax.hard(relax.perturbed(q, u)), families.values(q, u))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_relaxed_samples_become_discrete(temperature: float) -> None:
    q = OneHotCategorical(logits=torch.tensor([[0.7, -1.2, 0.1]], dtype=torch.float64))
    relax = relaxation(q)
    z = relax.perturbed(q, IID(0, dtype=torch.float64).uniform((2000, 1, 3)))
    distance = (relax.soft(z, temperature) - relax.hard(z)).abs().mean()
    assert (float(distance) < 0.05) == (temperature == 0.1)


# REBAR and RELAX


@dataclass(frozen=True)
class WithoutPath(Estimator):
    """REBAR whose c(z̃) loses its gradient: an implementation that has been published."""

    def draw(self, problem, params, num_samples, source):
        return Rebar().draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        z, given, samples = Rebar._relaxed(problem, params, noise)
        coefficients = {"scale": torch.ones(1), "log_temperature": torch.tensor([0.5]).log()}
        free, conditional = (Rebar().control(problem, params, at, coefficients) for at in (z, given.detach()))
        return (samples.direct + (samples.cost - conditional) * samples.score + free - free.detach()).mean(0)


@dataclass(frozen=True)
class FittedOnItsOwnNoise(Estimator):
    """Learns the temperature on the very noise that it is applied to, replicate by replicate, from two."""

    def draw(self, problem, params, num_samples, source):
        return Rebar().draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        surrogates = [Rebar(temperature=t).surrogate(problem, params, noise) for t in (0.1, 2.0)]
        sizes = []
        for surrogate in surrogates:
            gradients = torch.autograd.grad(surrogate.sum(), list(params.values()), retain_graph=True)
            sizes.append(torch.stack([(g**2).reshape(len(g), -1).sum(1) for g in gradients]).sum(0))
        return torch.where(sizes[0] < sizes[1], surrogates[0], surrogates[1])


@pytest.mark.parametrize("estimator", [WithoutPath(), FittedOnItsOwnNoise()], ids=lambda made: type(made).__name__)
def test_mistakes_with_relaxations_are_found_out(estimator: Estimator) -> None:
    work = workload(TOY, "rebar", 2)
    mistaken = replace(work, step=Eager(work.problem, estimator, work.num_samples))
    assert measured(mistaken).verdict == "biased"
    assert measured(work).verdict != "biased"


@pytest.mark.parametrize("estimator", [Rebar(temperature=3.0), Relax(temperature=3.0)], ids=["rebar", "relax"])
def test_the_temperature_is_learned(estimator: Estimator) -> None:
    """`fit` leaves less variance than the coefficients that it starts from."""
    fitted = workload(TOY, estimator, 2)
    assert fitted.fitted and float(fitted.estimator.coefficients["log_temperature"]) < math.log(3.0)  # type: ignore[attr-defined]
    before = prepare(make_problem(TOY), Frozen(estimator), 2, dtype="float64")
    assert measured(fitted, 100_000).total_variance.high < measured(before, 100_000).total_variance.low


@dataclass(frozen=True)
class Frozen(Estimator):
    """Does not learn."""

    base: Estimator

    def draw(self, problem, params, num_samples, source):
        return self.base.draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        return self.base.surrogate(problem, params, noise)
