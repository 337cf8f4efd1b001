"""Estimators for discrete x: identities sample by sample, orderings of variance, and what may not go wrong."""

import itertools
import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, OneHotCategorical

from estimators.discrete.arm import ARM, DisARM
from estimators.discrete.arms import ARMS
from estimators.discrete.gumbel_top_k import most_probable, without_replacement
from estimators.discrete.rebar import Rebar, Relax
from estimators.discrete.relaxations import relaxation
from estimators.discrete.set_probabilities import leave_out_ratios, remainder
from estimators.discrete.without_replacement import ReinforceWithoutReplacement, UnorderedSet
from estimators.interface import Estimator, Params, Problem, ScoredSamples, replicated
from estimators.learning import variance_gradient
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from experiments.gradients.prepare import prepare
from experiments.gradients.steps import Eager
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

TOY = "bernoulli-toy:dim=3,logit=0.5,t=0.1"
TOYS = (TOY, "bernoulli-shared-logit", "bernoulli-shared-logit:logit=-4", "categorical-toy")


def workload(problem: str | Problem, estimator: str | Estimator, num_samples: int) -> Workload:
    made = make_problem(problem) if isinstance(problem, str) else problem
    chosen = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(made, chosen, num_samples, dtype="float64")


def measured(work: Workload, replicates: int = 200_000) -> Measurement:
    return estimate(work, find_reference(work), Stop(replicates=replicates))


def log_error(found: Measurement) -> float:
    return math.log(found.total_variance.high / found.total_variance.low) / 2 / 1.998


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
        coefficients = {"scale": torch.ones(()), "log_temperature": torch.tensor(0.5).log()}
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


# Coupled pairs


def pair_gradient(problem: Problem, params: Params, u: Tensor) -> tuple[Tensor, Tensor]:
    """ARM and DisARM in the logits, by their formulas, of one pair."""
    p = params["logits"].sigmoid()
    first, second = (u > 1 - p).double(), (u < p).double()
    difference = (problem.cost(first, params) - problem.cost(second, params)).unsqueeze(-1)
    factor = 0.5 * (-1) ** second * (first != second) * params["logits"].abs().sigmoid()
    return (difference * (u - 0.5)).mean(0), (difference * factor).mean(0)


def test_arm_and_disarm_by_hand() -> None:
    problem = make_problem(TOY)
    params = {"logits": torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))}
    u = IID(1, dtype=torch.float64).uniform((4, 5, 3))
    arm, disarm = pair_gradient(problem, params, u)
    torch.testing.assert_close(ARM().gradient(problem, params, u)["logits"], arm)
    torch.testing.assert_close(DisARM().gradient(problem, params, u)["logits"], disarm)


def test_arms_with_two_samples_is_disarm() -> None:
    """On the simplex of two the uniforms are u and 1 − u; ARMS takes the other tail above one half."""
    problem = make_problem(TOY)
    generator = torch.Generator().manual_seed(0)
    params = {"logits": torch.randn(50, 3, dtype=torch.float64, generator=generator)}
    u = IID(1, dtype=torch.float64).uniform((1, 50, 3))
    mirrored = torch.where(params["logits"] > 0, u, 1 - u)
    d = torch.cat([mirrored, 1 - mirrored])
    arms = ARMS().gradient(problem, params, d)["logits"]
    torch.testing.assert_close(arms, DisARM().gradient(problem, params, u)["logits"])


def test_arms_samples_are_bernoulli_and_antithetic() -> None:
    from estimators.discrete.arms import _correlation, _events

    p = torch.tensor([1e-3, 0.05, 0.2, 0.3, 0.5], dtype=torch.float64)
    exponential = -IID(0, dtype=torch.float64).uniform((4, 400_000, 5)).log()
    bits = _events(exponential / exponential.sum(0), p)
    error = (p * (1 - p) / bits[0].numel() * 5).sqrt()
    assert ((bits.mean((0, 1)) - p).abs() < 4.5 * error).all()
    product = (bits[0] - p) * (bits[1] - p) / (p * (1 - p))
    assert ((product.mean(0) - _correlation(p, 4)).abs() < 4.5 * product.std(0) / math.sqrt(400_000)).all()
    assert (_correlation(p, 4) < 0).all()


def test_sticks_make_the_categories() -> None:
    from estimators.discrete.arm import _states, _sticks

    q = OneHotCategorical(logits=torch.tensor([[0.7, -1.2, 0.1, 2.0]], dtype=torch.float64))
    sticks = Bernoulli(logits=_sticks(q))
    total = torch.zeros(4, dtype=torch.float64)
    for bits in itertools.product([0.0, 1.0], repeat=3):
        b = torch.tensor([bits], dtype=torch.float64)
        total += sticks.log_prob(b).sum().exp() * _states(b).squeeze(0)
    torch.testing.assert_close(total, q.probs.squeeze(0))


# Without replacement


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


# Orderings


ORDER = [
    ("disarm", "arm"),
    ("rao-blackwellized", "score-function"),
    ("score-function:control_variate=leave-one-out", "score-function"),
    ("rao-blackwellized-gumbel-softmax", "gumbel-softmax:hard=true"),
]


@pytest.mark.parametrize("problem", TOYS)
@pytest.mark.parametrize(("less", "more"), ORDER)
def test_one_has_less_variance_than_the_other(less: str, more: str, problem: str) -> None:
    if make_estimator(more).unsupported(make_problem(problem), 4):
        pytest.skip("not for categorical variables")
    better, worse = (measured(workload(problem, spec, 4), 32_768) for spec in (less, more))
    if better.total_variance.value > 0:
        excess = math.log(better.total_variance.value / worse.total_variance.value)
        assert excess < 3 * math.hypot(log_error(better), log_error(worse))


# Far out


FAR = [
    "arm", "disarm", "arms", "rebar", "relax", "gumbel-softmax", "gumbel-softmax:hard=true", "straight-through",
    "rao-blackwellized-gumbel-softmax", "rao-blackwellized", "unordered-set", "sum-and-sample",
    "reinforce-without-replacement", "score-function:control_variate=double",
    "score-function:control_variate=discrete-stein", "score-function:control_variate=group-relative",
]  # fmt: skip


@pytest.mark.parametrize("logit", [-1000, -20, 100])
@pytest.mark.parametrize("spec", FAR)
def test_nothing_overflows_far_out(spec: str, logit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variance_gradient, "STEPS", 20)
    problems = [f"bernoulli-toy:dim=3,logit={logit}", f"categorical-toy:dim=2,spread={logit}"]
    for problem in problems:
        made, estimator = make_problem(problem), make_estimator(spec)
        if estimator.unsupported(made, 4):
            continue
        for dtype in ("float32", "float64"):
            work = prepare(made, estimator, 4, dtype=dtype)
            found = work.gradient(work.params(2_000), work.draw(work.source("far out"), 2_000))
            assert all(value.var(0).isfinite().all() for value in found.values())


@pytest.mark.parametrize("logit", [-20.0, -12.0, 12.0, 20.0])
@pytest.mark.parametrize("transform", [torch.func.grad, None], ids=["func", "backward"])
def test_the_score_of_a_bit_keeps_its_digits_far_out(logit: float, transform) -> None:
    def score(at: Tensor) -> Tensor:
        q = Independent(Bernoulli(logits=at), 1)
        return families.log_prob(q, torch.tensor([[[float(logit > 0)]]])).sum()  # the likely value

    at = torch.tensor([[logit]])
    found = transform(score)(at) if transform else torch.autograd.grad(score(at.requires_grad_()), at)[0]
    wanted = math.copysign(1 / (1 + math.exp(abs(logit))), logit)
    assert math.isclose(float(found), wanted, rel_tol=1e-5)


def test_group_relative_explodes_where_all_costs_nearly_agree() -> None:
    """The advantage has unit size however small the differences are: bias and variance outgrow the gradient."""
    agree = [measured(workload(f"bandit-policy:success_rate={rate}", GROUP, 8), 50_000) for rate in (0.5, 0.99)]
    relative = [found.squared_bias.value**0.5 / found.gradient_norm for found in agree]  # type: ignore[union-attr,operator]
    assert all(found.verdict == "biased" for found in agree)
    assert relative[1] > 1.5 * relative[0] > 0.5


GROUP = "score-function:control_variate=group-relative"


def test_group_relative_by_hand() -> None:
    work = workload("bandit-policy", GROUP, 6)
    params, noise = work.params(3), work.draw(work.source("by hand"), 3)
    q = work.problem.distribution(params)
    x = families.values(q, noise)
    cost = work.problem.cost(x, params)
    advantage = (cost - cost.mean(0)) / (cost.std(0) + 1e-4)
    wanted = (advantage.unsqueeze(-1) * (x - q.mean)).mean(0)
    torch.testing.assert_close(work.gradient(params, noise)["logits"], wanted)
