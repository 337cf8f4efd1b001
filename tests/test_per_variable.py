"""Each variable of a program by an estimator of its own: a Gaussian, bits, a Gaussian and a category in turn."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, OneHotCategorical

from estimators import IID, Params, Program, Unsupported, make_estimator, make_problem
from estimators.by_variable import main_run
from estimators.by_variable.conditional import Conditional
from estimators.interface import replicated
from estimators.programs import runs

LEAVE_ONE_OUT = "(score-function:control_variate=leave-one-out)"


@dataclass(frozen=True)
class Mixed(Program):
    """Every variable depends on those before it, and every cost on several."""

    def initial_params(self) -> Params:
        at = {"loc": 0.3, "log_scale": -0.2, "slope": [0.4, -0.6], "logits": [0.5, -0.8]}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in at.items()}

    def run(self, params: Any, sample: Callable[..., Any]) -> Iterator[Tensor]:
        z = sample("z", Normal(params["loc"], params["log_scale"].exp()))
        yield self.first(z)
        bits = sample("bits", Bernoulli(logits=params["slope"] * z + params["logits"]))
        x = sample("x", Normal(self.mean(z, bits), 0.8))
        yield self.second(z, bits, x)
        kind = sample("kind", OneHotCategorical(logits=torch.stack([0.5 * x, params["loc"], bits[0]])))
        yield (kind * torch.stack([x**2, z, 1.5 * torch.ones_like(z)])).sum()

    def first(self, z: Tensor) -> Tensor:
        return (z - 0.5) ** 2

    def mean(self, z: Tensor, bits: Tensor) -> Tensor:
        return bits[..., 0] - 0.5 * bits[..., 1] + 0.3 * z

    def second(self, z: Tensor, bits: Tensor, x: Tensor) -> Tensor:
        return (1 + bits[..., 1]) * (x - 1) ** 2 + z * bits[..., 0]

    def expected_cost(self, params: Params) -> Tensor:
        """By quadrature over the Gaussians, sums over the others, and formulas of its own for what they weigh."""
        nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(32))
        weights = weights / weights.sum()
        z = params["loc"] + params["log_scale"].exp() * nodes[:, None]  # [Z, R]
        total = (weights[:, None] * self.first(z)).sum(0)
        p = torch.sigmoid(params["slope"] * z.unsqueeze(-1) + params["logits"])
        for states in itertools.product((0.0, 1.0), repeat=2):
            bits = torch.tensor(states, dtype=torch.float64)
            probability = torch.where(bits > 0, p, 1 - p).prod(-1)
            x = self.mean(z, bits) + 0.8 * nodes[:, None, None]  # [X, Z, R]
            logits = torch.stack([0.5 * x, params["loc"].expand_as(x), bits[0].expand_as(x)])
            worth = torch.stack([x**2, z.expand_as(x), torch.full_like(x, 1.5)])
            costs = self.second(z, bits, x) + (logits.softmax(0) * worth).sum(0)
            total = total + (weights[:, None] * probability * (weights[:, None, None] * costs).sum(0)).sum(0)
        return total


PROBLEM = Mixed().to("cpu", torch.float64)


def gradients(spec: str, replicates: int = 4000, num_samples: int = 2) -> Tensor:
    params, estimator = replicated(PROBLEM.initial_params(), replicates), make_estimator(spec)
    estimator.require_support(PROBLEM, num_samples)
    noise = estimator.draw(PROBLEM, params, num_samples, IID(0, dtype=torch.float64))
    found = estimator.gradient(PROBLEM, params, noise)
    return torch.cat([value.reshape(replicates, -1) for value in found.values()], 1)


def exact() -> Tensor:
    found = PROBLEM.exact_gradient(replicated(PROBLEM.initial_params(), 1))
    assert found is not None
    return torch.cat([value.reshape(-1) for value in found.values()])


def deviation(each: Tensor) -> float:
    """How far the mean is from the exact gradient, in standard errors, in the entry where it is farthest."""
    return float(((each.mean(0) - exact()) / (each.std(0) / len(each) ** 0.5)).abs().max())


UNBIASED = [
    "score-function",
    "per-variable",
    f"per-variable:continuous={LEAVE_ONE_OUT}",
    "per-variable:discrete=disarm",
    "per-variable:discrete=rao-blackwellized",
    "per-variable:discrete=unordered-set",
    "per-variable:at=bits,there=arms",
    "per-variable:at=x,there=measure-valued,continuous=measure-valued",
    "stochastic-triple",
    "per-variable:discrete=(per-variable:at=kind,there=disarm,discrete=score-function)",
]


@pytest.mark.parametrize("spec", UNBIASED)
def test_unbiased(spec: str) -> None:
    assert make_estimator(spec).claim(PROBLEM, 2) == "unbiased"
    assert deviation(gradients(spec)) < 4


@pytest.mark.parametrize("spec", ["continuous=finite-differences", "discrete=(gumbel-softmax:temperature=0.05)"])
def test_what_claims_a_bias_is_biased_little(spec: str) -> None:
    assert make_estimator(f"per-variable:{spec}").claim(PROBLEM, 2) == "biased"
    assert deviation(gradients(f"per-variable:{spec}")) < 6


def test_the_straight_derivative_is_found_out() -> None:
    assert deviation(gradients("per-variable:discrete=straight-through")) > 6


def test_the_more_is_known_the_less_variance() -> None:
    """A path for a score, all states for one, and the costs after a variable for all of them."""
    plain, paths, states = (
        float(gradients(spec).var(0).sum())
        for spec in ("score-function", "per-variable", "per-variable:discrete=rao-blackwellized")
    )
    assert states < 0.8 * paths < 0.4 * plain
    assert float(gradients("score-function:credit=total").var(0).sum()) > 1.05 * plain


def test_a_detached_path_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_run, "_along", lambda path, q, noise: runs.fixed(q, noise))
    assert deviation(gradients("per-variable")) > 10


def test_costs_of_a_branch_that_end_too_early_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conditional, "_after_it", lambda self, trace: (trace.costs[1],))
    assert deviation(gradients("per-variable:discrete=rao-blackwellized")) > 10


def test_evaluations_count_each_run_on() -> None:
    """Two bits, with one other state each, and three kinds: 1 + (1 + 2) + (1 + 2) evaluations a sample."""
    assert make_estimator("per-variable:discrete=rao-blackwellized").evaluations(PROBLEM, 5) == 5 * 7
    assert make_estimator("per-variable").evaluations(PROBLEM, 5) == 5


@pytest.mark.parametrize(
    ("spec", "problem", "words"),
    [
        ("per-variable", "gaussian-quadratic", "needs a program of several random variables"),
        ("per-variable:discrete=pathwise", None, 'at the variable "bits": samples of Bernoulli are not differentiable'),
        ("per-variable:discrete=arm", None, 'at the variable "kind": arm needs binary variables'),
        ("per-variable:discrete=rebar", None, 'at the variable "bits": rebar learns'),
        ("per-variable:continuous=gumbel-softmax", None, 'at the variable "z": there is no relaxation of Normal'),
    ],
)
def test_refusals_name_the_variable(spec: str, problem: str | None, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        make_estimator(spec).require_support(make_problem(problem) if problem else PROBLEM, 2)


def test_it_learns_the_mean_of_the_costs_after_each_variable() -> None:
    spec = "per-variable:discrete=(score-function:control_variate=moving-average)"
    estimator, params = make_estimator(spec), replicated(PROBLEM.initial_params(), 1)
    assert estimator.unlearned
    fitted = estimator.fit(PROBLEM, params, 1, IID(1, dtype=torch.float64))
    average = fitted.discrete.control_variate.average  # pyright: ignore[reportAttributeAccessIssue]
    assert average.shape == (2, 1)
    noise = estimator.draw(PROBLEM, params, 20_000, IID(2, dtype=torch.float64))
    costs = main_run.main_run(PROBLEM, params, noise[0], [None] * 4).costs
    after_bits = torch.stack(costs[1:]).sum(0)
    error = (after_bits.std() / 100).item()  # the average is of 10,000 samples
    assert abs(float(average[0] - after_bits.mean())) < 5 * error
