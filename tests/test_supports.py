# pyright: reportArgumentType=false, reportCallIssue=false
"""Supports that move with the parameters: a score function is refused there, and only there."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import transforms

from estimators import IID, Params, Problem, make_estimator
from estimators.interface import derivative, replicated, start
from estimators.interface.refusals import score
from estimators.sampling import families
from estimators.sampling.distributions.logistic import Logistic
from estimators.sampling.distributions.truncated_normal import TruncatedNormal
from estimators.sampling.unchecked import without_validation

REPLICATES = 40_000
ONE = torch.ones(())


@dataclass(frozen=True)
class Of(Problem):
    """x of any distribution of two numbers, f = exp(−x)."""

    make: Callable[[Tensor, Tensor], td.Distribution]
    at: tuple[float, float] = (0.5, 1.2)
    cost_depends_on_params: ClassVar[bool] = False

    def initial_params(self) -> Params:
        return {"a": torch.tensor(self.at[0]), "b": torch.tensor(self.at[1])}

    def distribution(self, params: Params) -> td.Distribution:
        return self.make(params["a"], params["b"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (-x).exp().flatten(2).sum(-1) if x.ndim > 2 else (-x).exp()


def moved(base: td.Distribution, loc: Tensor, scale: Tensor | float = 1.0) -> td.Distribution:
    return td.TransformedDistribution(base, [transforms.AffineTransform(loc, scale)])


def pair(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([a, b], -1)


def mixed(component: td.Distribution) -> td.Distribution:
    return td.MixtureSameFamily(td.Categorical(logits=torch.zeros(component.batch_shape)), component)


MOVING = {
    "Uniform": lambda a, b: td.Uniform(a, b),
    "its upper end": lambda a, b: td.Uniform(0 * a.detach(), b),
    "Pareto": lambda a, b: td.Pareto(a, b),
    "GeneralizedPareto": lambda a, b: td.GeneralizedPareto(a, b, 0.2 + 0 * a),
    "its negative shape": lambda a, b: td.GeneralizedPareto(0 * a.detach(), b, -a),
    "shifted Exponential": lambda a, b: moved(td.Exponential(b), a),
    "turned Exponential": lambda a, b: moved(td.Exponential(b), a, -1.0),
    "shifted HalfNormal": lambda a, b: moved(td.HalfNormal(b), a),
    "shifted Gamma": lambda a, b: moved(td.Gamma(b, b), a),
    "stretched Beta": lambda a, b: moved(td.Beta(ONE.expand_as(a), b), 0.0 * a.detach(), b),
    "shifted Weibull": lambda a, b: moved(td.Weibull(b, ONE.expand_as(a)), a),
    "shifted absolute Normal": lambda a, b: td.TransformedDistribution(
        td.Normal(0 * a.detach(), b), [transforms.AbsTransform(), transforms.AffineTransform(a, 1.0)]
    ),
    "log of a shifted Exponential": lambda a, b: td.TransformedDistribution(
        td.Exponential(b), [transforms.AffineTransform(a, 1.0), transforms.ExpTransform().inv]
    ),
    "stretched logistic": lambda a, b: td.TransformedDistribution(
        Logistic(0 * a.detach(), ONE.expand_as(a)), [transforms.SigmoidTransform(), transforms.AffineTransform(a, b)]
    ),
    "mixture of Uniforms": lambda a, b: mixed(td.Uniform(pair(a, a), pair(b, 2 * b))),
    "mixture of shifted ones": lambda a, b: mixed(moved(td.Exponential(pair(b, b)), pair(a, 2 * a))),
    "independent Uniforms": lambda a, b: td.Independent(td.Uniform(0 * pair(a, b).detach(), pair(a, b)), 1),
    "opposite shifts": lambda a, b: td.Independent(moved(td.Exponential(pair(b, b)), pair(a, -a)), 1),
    "of an event": lambda a, b: moved(td.Independent(td.Exponential(pair(b, b)), 1), pair(a, 2 * a)),
    "a bit of probability 0": lambda a, b: td.Bernoulli(probs=a - 0.5),
    "a bit of probability 1": lambda a, b: td.Bernoulli(probs=a + 0.5),
    "a category of probability 0": lambda a, b: td.Categorical(probs=torch.stack([a - 0.5, b, b], -1)),
    "one-hot": lambda a, b: td.Independent(td.OneHotCategorical(probs=torch.stack([a - 0.5, b, b], -1)), 0),
    "no events": lambda a, b: td.Poisson(a - 0.5),
}
FIXED = {
    "Normal": lambda a, b: td.Normal(a, b),
    "constant Uniform": lambda a, b: td.Uniform(0 * a.detach(), ONE.expand_as(a)),
    "TruncatedNormal": lambda a, b: TruncatedNormal(a, b, 0.0, 1.0),
    "Pareto of a known scale": lambda a, b: td.Pareto(ONE.expand_as(a), b),
    "GeneralizedPareto of a known place": lambda a, b: td.GeneralizedPareto(0 * a.detach(), b, a),
    "scaled Exponential": lambda a, b: moved(td.Exponential(a), 0.0 * a.detach(), b),
    "Exponential at a known place": lambda a, b: moved(td.Exponential(a), 0.7, b),
    "power of an Exponential": lambda a, b: td.TransformedDistribution(
        td.Exponential(b), [transforms.PowerTransform(a)]
    ),
    "Gumbel": lambda a, b: td.Gumbel(a, b),
    "HalfCauchy": lambda a, b: td.HalfCauchy(b),
    "Kumaraswamy": lambda a, b: td.Kumaraswamy(a, b),
    "InverseGamma": lambda a, b: td.InverseGamma(a + 2, b),
    "stretched squashed Normal": lambda a, b: td.TransformedDistribution(
        td.Normal(a, b / 3), [transforms.TanhTransform(), transforms.AffineTransform(a, b)]
    ),
    "Gamma that vanishes at its place": lambda a, b: moved(td.Gamma(b + 2.8, b), a),
    "mixture of Normals": lambda a, b: mixed(td.Normal(pair(a, b), pair(b, b))),
    "mixture of Exponentials": lambda a, b: mixed(td.Exponential(pair(a, b))),
    "Bernoulli": lambda a, b: td.Bernoulli(logits=a),
    "a bit of logit −∞": lambda a, b: td.Bernoulli(logits=a - math.inf),
    "a masked category": lambda a, b: td.OneHotCategorical(logits=torch.stack([a, b, a - math.inf], -1)),
    "saturated": lambda a, b: td.Categorical(logits=torch.stack([a, 80 * b], -1)),
    "VonMises": lambda a, b: td.VonMises(a, b),
    "simplex": lambda a, b: td.LogisticNormal(pair(a, b), pair(b, b)),
}


@pytest.mark.parametrize("name", MOVING)
def test_a_score_function_is_refused_where_the_support_moves(name: str) -> None:
    reason = make_estimator("score-function").unsupported(Of(MOVING[name]), 4)
    assert reason is not None and "moves with its parameters" in reason


@pytest.mark.parametrize("name", FIXED)
def test_nothing_is_refused_where_it_does_not(name: str) -> None:
    assert make_estimator("score-function").unsupported(Of(FIXED[name]), 4) is None


NO_MEAN = {
    "shifted Gamma": "it has no finite variance",
    "stretched Beta": "it has no finite variance",
    "opposite shifts": "its two entries cancel",
    "shifted absolute Normal": "torch has no density of it",
    "mixture of shifted ones": "torch's density is wrong outside of a component's support",
    "GeneralizedPareto": "torch's density is for float32 alone",
    "its negative shape": "torch's density is for float32 alone",
    "GeneralizedPareto of a known place": "torch's density is for float32 alone",
    "simplex": "its density is as large as it likes at the edges",
}
"""Scores whose mean cannot be told from samples."""
DISCRETE = [name for name in MOVING if name.startswith(("a ", "one-hot", "no events"))]
TOLD = [name for name in (*MOVING, *FIXED) if name not in NO_MEAN and name not in DISCRETE]


@pytest.fixture
def unchecked() -> Iterator[None]:
    with without_validation():
        yield


def mean_score(problem: Problem) -> tuple[Tensor, Tensor]:
    """The mean of the score and its standard error, in each parameter."""
    params = {name: value.requires_grad_() for name, value in replicated(start(problem), REPLICATES).items()}
    params = {name: value.squeeze(1).detach().requires_grad_() for name, value in params.items()}
    q = problem.distribution(params)
    x = families.values(q, families.noise(q, 1, IID(0, dtype=torch.float64)))
    found = torch.stack(list(derivative(families.log_prob(q, x).sum(), params).values()))
    return found.mean(1), found.std(1) / math.sqrt(REPLICATES)


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.usefixtures("unchecked")
def test_the_mean_of_the_score_agrees(name: str) -> None:
    """It is zero just where nothing is refused: the density at the bound, times its speed."""
    mean, error = mean_score(Of(MOVING[name] if name in MOVING else FIXED[name]))
    assert bool((mean.abs() > 4 * error + 1e-9).any()) == (name in MOVING)


def test_other_estimators_that_rest_on_the_score_are_refused_too() -> None:
    assert score(Of(MOVING["a bit of probability 0"])) is not None
    for spec in ("arm", "disarm", "arms", "rebar", "unordered-set", "sum-and-sample", "reinforce-without-replacement"):
        reason = make_estimator(spec).unsupported(Of(MOVING["a bit of probability 0"]), 2)
        assert reason is not None and "moves with its parameters" in reason
    assert make_estimator("rao-blackwellized").unsupported(Of(MOVING["a bit of probability 0"]), 2) is None


def test_it_is_tried_once() -> None:
    calls = []

    def make(a: Tensor, b: Tensor) -> td.Distribution:
        calls.append(a.dtype)
        return td.Uniform(a, b)

    problem = Of(make)
    for dtype in (torch.float32, torch.float32, torch.float64):
        assert make_estimator("score-function").unsupported(problem.to("cpu", dtype), 4) is not None
    assert len(calls) == 1
