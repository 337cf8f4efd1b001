"""Samples without replacement: probabilities of sets, and weights of the states."""

import itertools
import math
import warnings
from dataclasses import dataclass

import pytest
import torch
from discrete_workloads import TOY, measured, workload
from scipy import stats
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent

from estimators.discrete.gumbel_top_k import joint_states, most_probable, without_replacement
from estimators.discrete.set_probabilities import leave_out_ratios, remainder
from estimators.discrete.without_replacement import ReinforceWithoutReplacement, UnorderedSet
from estimators.interface import Estimator, Params, Problem, ScoredSamples, replicated
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem


@dataclass(frozen=True)
class Listed(Problem):
    """One categorical variable, as an index."""

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([0.5, -0.3, 1.0, -2.0], dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Categorical(logits=params["logits"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x.to(params["logits"].dtype) - 1.3) ** 2

    def expected_cost(self, params: Params) -> Tensor:
        levels = torch.arange(4, dtype=torch.float64)
        return (params["logits"].softmax(-1) * (levels - 1.3) ** 2).sum(-1)


def set_probability(p: list[float]) -> float:
    """Of drawing these states first, in any order."""
    total = 0.0
    for order in itertools.permutations(p):
        rest, chance = 1.0, 1.0
        for part in order:
            chance, rest = chance * part / rest, rest - part
        total += chance
    return total


@pytest.mark.parametrize("p", [[0.1, 0.2, 0.3], [1e-6, 2e-6, 0.5], [0.3, 0.2, 0.1, 0.05, 0.01], [0.45, 0.5449, 1e-4]])
def test_ratios_of_set_probabilities(p: list[float]) -> None:
    first, second = leave_out_ratios(torch.tensor(p, dtype=torch.float64).log().unsqueeze(1))
    for i, taken in enumerate(p):
        others = [part / (1 - taken) for j, part in enumerate(p) if j != i]
        wanted = set_probability(others) / set_probability(p)
        assert math.isclose(float(first[i].exp()), wanted, rel_tol=1e-6)
        for j, also in enumerate(p):
            if j != i:
                both = [part / (1 - taken - also) for k, part in enumerate(p) if k not in (i, j)]
                assert math.isclose(
                    float(second[i, j].exp()), set_probability(both) / set_probability(others), rel_tol=1e-6
                )
            else:
                assert second[i, j] == -math.inf


@pytest.mark.parametrize("states", [2, 30, 100, 400])
def test_ratios_of_many_rare_states_of_one_probability(states: int) -> None:
    """By symmetry Σ p_s R_s = 1 has S equal terms, and likewise without one of them."""
    p = torch.full((states, 1), 1e-9, dtype=torch.float64)
    first, second = leave_out_ratios(p.log())
    assert torch.allclose((p.log() + first).exp(), 1 / torch.tensor(states, dtype=torch.float64), rtol=1e-6)
    others = torch.ones(states, states, 1, dtype=torch.bool).triu(1)
    assert torch.allclose((p[0] * second[others].exp()), torch.tensor(1 / (states - 1.0)).double(), rtol=1e-6)


@pytest.mark.parametrize("log_p", [-1e-17, -40.0])
def test_what_remains_beside_nearly_all_or_nearly_nothing_keeps_its_digits(log_p: float) -> None:
    found = remainder(torch.tensor([[-50.0], [log_p]], dtype=torch.float64))
    assert math.isclose(float(found), -math.expm1(log_p) - math.exp(-50.0), rel_tol=1e-12)


def test_the_whole_support_is_the_exact_gradient() -> None:
    """Every state once: nothing is left to chance."""
    for spec in ("unordered-set", "sum-and-sample", "reinforce-without-replacement"):
        found = measured(workload(Listed(), spec, 4), 640)
        assert found.total_variance.value < 1e-12 and found.verdict == "unbiased", spec
        found = measured(workload("bernoulli-shared-logit", spec, 8), 640)
        assert found.total_variance.value < 1e-12 and found.verdict == "unbiased", spec


def test_beam_search_draws_without_replacement() -> None:
    """The first state has the distribution q; the set of three has the probability of any order of drawing it."""
    p = torch.tensor([[0.2, 0.6]], dtype=torch.float64)
    q = Independent(Bernoulli(p.expand(60_000, 2)), 1)
    beam = without_replacement(q, 3, IID(0, dtype=torch.float64))
    codes = (beam.x[..., 0] + 2 * beam.x[..., 1]).long()
    assert all(len(set(row)) == 3 for row in codes[:, :500].T.tolist())
    assert (beam.perturbed.diff(dim=0) <= 0).all()
    joint = torch.tensor([0.8 * 0.4, 0.2 * 0.4, 0.8 * 0.6, 0.2 * 0.6], dtype=torch.float64)
    count = torch.bincount(codes[0], minlength=4) / 60_000
    assert ((count - joint).abs() < 4.5 * (joint * (1 - joint) / 60_000).sqrt()).all()
    missing = 6 - codes.sum(0)
    for state in range(4):
        chance = set_probability([float(joint[other]) for other in range(4) if other != state])
        found = float((missing == state).double().mean())
        assert abs(found - chance) < 4.5 * math.sqrt(chance * (1 - chance) / 60_000)


def test_most_probable_states() -> None:
    q = make_problem("categorical-toy").distribution(replicated(make_problem("categorical-toy").initial_params(), 2))
    states = make_problem("categorical-toy").support(replicated(make_problem("categorical-toy").initial_params(), 2))
    assert states is not None
    wanted = q.log_prob(states).topk(5, dim=0).values
    found = most_probable(q, 5)
    torch.testing.assert_close(found.log_p, wanted)
    torch.testing.assert_close(q.log_prob(found.x), wanted)


@dataclass(frozen=True)
class WithReplacementWeights(Estimator):
    """A sample without replacement, weighed as if it were one with."""

    def draw(self, problem, params, num_samples, source):
        return UnorderedSet().draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        samples = ScoredSamples.of(problem, params, noise)
        return (samples.direct + samples.cost * samples.score).mean(0)


@dataclass(frozen=True)
class UncorrectedBaseline(Estimator):
    """The mean over all drawn states as baseline, the own one included, without its correction."""

    def draw(self, problem, params, num_samples, source):
        return ReinforceWithoutReplacement().draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        samples = ScoredSamples.of(problem, params, noise["x"])
        log_p = samples.q.log_prob(samples.x).detach()
        weight = log_p.exp() / -torch.expm1(-(log_p - noise["threshold"]).exp())
        return (weight * (samples.direct + (samples.cost - (weight * samples.cost).sum(0)) * samples.score)).sum(0)


@pytest.mark.parametrize("estimator", [WithReplacementWeights(), UncorrectedBaseline()])
def test_wrong_weights_are_found_out(estimator: Estimator) -> None:
    assert measured(workload(TOY, estimator, 3)).verdict == "biased"


def test_more_samples_than_states_are_refused() -> None:
    for spec in ("unordered-set", "sum-and-sample", "reinforce-without-replacement"):
        estimator = make_estimator(spec)
        assert "8 joint states" in (estimator.unsupported(make_problem(TOY), 9) or "")
        assert estimator.unsupported(make_problem("bernoulli-toy:dim=200"), 16) is None
        assert "Normal" in (estimator.unsupported(make_problem("gaussian-quadratic"), 2) or "")


@pytest.mark.parametrize("spec", ["sum-and-sample", "unordered-set", "reinforce-without-replacement"])
def test_more_states_than_a_float_counts(spec: str) -> None:
    """2^3300 joint states."""
    problem = make_problem("digits-sbn:latent=100,points=33")
    assert joint_states(problem.initial_distribution) == math.inf
    assert make_estimator(spec).unsupported(problem, 33) is None


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_tail_of_the_threshold_is_that_of_the_arrivals(size: int) -> None:
    """P(e^κ > t) is that of S + 1 of 8 clocks within 1/t: ∝ t^−(S + 1), so that E[e^{4κ}] is infinite for S below 4."""
    problem, count = make_problem("bernoulli-toy:dim=3,logit=0,t=0.1"), 40_000
    params = replicated(problem.initial_params(), count)
    made = make_estimator("reinforce-without-replacement")
    noise = made.draw(problem, params, size, IID(0, dtype=torch.float64))
    for t in (0.5, 1.0, 2.0):
        wanted = float(stats.binom.sf(size, 8, 1 - math.exp(-1 / (8 * t))))
        found = float((noise["threshold"].exp() > t).double().mean())
        assert abs(found - wanted) < 4.5 * (wanted * (1 - wanted) / count) ** 0.5
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.diagnostics(problem, params, noise)
    assert ["infinite variance" in str(one.message) for one in caught] == [True] * (size < 4)
