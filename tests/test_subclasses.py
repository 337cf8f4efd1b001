# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
"""Subclasses of known distributions: what they keep of the family, and what they change themselves."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import IID, Params, Problem, make_estimator
from estimators.interface import replicated
from estimators.noise.schemes import SCHEMES
from estimators.sampling import families
from estimators.sampling.family import family_of, is_binary, is_known, is_one_hot, states_of
from estimators.sampling.proposals import shifted, widened

ROWS = torch.zeros(3, 2)
REPLICATES = 20_000


def subclass(kind: Any, **body: object) -> Any:
    return type("Mine", (kind,), body)


class FromLogScale(td.Normal):
    """Made of other parameters than its base, whose law it has."""

    def __init__(self, mean: Tensor, log_scale: Tensor, validate_args: bool | None = None):
        self.log_scale = log_scale
        super().__init__(mean, log_scale.exp(), validate_args=validate_args)

    def narrower(self) -> "FromLogScale":
        return FromLogScale(self.loc, self.log_scale - 1)


def test_a_subclass_that_adds_methods_keeps_the_family() -> None:
    normal = FromLogScale(ROWS, ROWS)
    assert list(families.forms(normal)) == ["location-scale", "inverse-cdf", "implicit"]
    assert family_of(normal) is family_of(td.Normal(ROWS, ROWS + 1))
    assert torch.equal(families.noise(normal, 4, IID(0)), families.noise(td.Normal(ROWS, ROWS + 1), 4, IID(0)))
    assert families.noise(normal, 4, SCHEMES["antithetic"](IID(0))).shape == (4, 3, 2)
    wide, moved = widened(normal, 2.0), shifted(normal, 1.5)
    assert torch.equal(wide.scale, ROWS + 2) and torch.equal(moved.loc, ROWS + 1.5)
    chi2 = td.Chi2(ROWS + 3)
    assert list(families.forms(chi2)) == ["implicit"] and is_known(chi2)
    bits = subclass(td.Bernoulli)(logits=ROWS)
    assert is_binary(bits) and states_of(bits) is not None


@pytest.mark.parametrize("name", ["sample", "rsample", "log_prob", "cdf", "loc", "has_rsample"])
def test_one_that_may_have_another_law_is_sampled_by_its_own_sampler(name: str) -> None:
    body = {name: True if name == "has_rsample" else property(lambda self: ROWS) if name == "loc" else lambda *_: ROWS}
    made = subclass(td.Normal, **body)
    found = made.__new__(made)
    assert is_known(found) == (name == "has_rsample")


def test_the_forms_of_what_is_made_of_others_hang_on_its_sampler_alone() -> None:
    mixture = subclass(td.MixtureSameFamily)(td.Categorical(logits=ROWS), td.Normal(ROWS, ROWS + 1))
    assert list(families.forms(mixture)) == ["implicit"]
    assert list(families.forms(td.HalfNormal(ROWS + 1))) == ["location-scale", "inverse-cdf", "implicit"]
    other = subclass(td.LogisticNormal, rsample=lambda self, shape=(): td.LogisticNormal.rsample(self, shape) ** 2)
    assert list(families.forms(other(ROWS, ROWS + 1))) == ["rsample"]


@dataclass(frozen=True)
class Choice(Problem):
    """One of three, by any one-hot class: f = (w·x − 1)²."""

    kind: Any = td.OneHotCategoricalStraightThrough

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.3, -0.5, 0.1])}

    def distribution(self, params: Params) -> td.Distribution:
        return self.kind(logits=params["logits"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x @ torch.tensor([0.0, 1.0, 3.0]).to(x) - 1) ** 2

    def gradient(self) -> Tensor:
        p, f = self.initial_params()["logits"].double().softmax(0), torch.tensor([1.0, 0.0, 4.0]).double()
        return p * (f - (p * f).sum())


def z_scores(spec: str, problem: Problem, exact: Tensor, num_samples: int = 4) -> Tensor:
    """How many standard errors the mean gradient of the only parameter is off."""
    estimator = make_estimator(spec)
    assert estimator.unsupported(problem, num_samples) is None
    (name,) = problem.initial_params()
    params = replicated({name: problem.initial_params()[name].double()}, REPLICATES)
    noise = estimator.draw(problem, params, num_samples, IID(0, dtype=torch.float64))
    found = estimator.gradient(problem, params, noise)[name]
    return (found.mean(0) - exact) / (found.std(0) / math.sqrt(REPLICATES) + 1e-9)


def test_the_exact_gradient_of_the_choice() -> None:
    torch.testing.assert_close(Choice().gradient().float(), torch.tensor([-0.390130, -0.373408, 0.763538]))


def test_a_straight_through_sample_is_biased_and_says_so() -> None:
    problem, pathwise = Choice(), make_estimator("pathwise")
    assert pathwise.claim(problem, 4) == "biased"
    assert z_scores("pathwise", problem, problem.gradient()).abs().max() > 8
    assert make_estimator("pathwise").claim(Choice(td.OneHotCategorical), 4) == "unbiased"
    for other in ("pathwise", "score-function:control_variate=lax"):
        assert "OneHotCategorical are not diff" in str(
            make_estimator(other).unsupported(Choice(td.OneHotCategorical), 4)
        )
    lax = make_estimator("score-function:control_variate=lax")
    assert "StraightThrough are not differentiable" in str(lax.unsupported(problem, 4))


@pytest.mark.parametrize(
    "spec",
    [
        "score-function",
        "stratified:base=score-function,scheme=sobol",
        "importance-weighted",
        "measure-valued",
        "rebar",
        "unordered-set",
        "disarm",
    ],
)
def test_it_keeps_what_its_base_has(spec: str) -> None:
    """Strata, proposals, weak derivatives, relaxations and states."""
    assert is_one_hot(td.OneHotCategoricalStraightThrough(logits=ROWS))
    num_samples = 2 if spec == "unordered-set" else 4
    assert z_scores(spec, Choice(), Choice().gradient(), num_samples).abs().max() < 4
