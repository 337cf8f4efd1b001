# pyright: reportAttributeAccessIssue=false
"""Published and derived values of programs: the random walk of Arya et al. 2022, and what trains a token policy."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from planted import OwnMean
from torch import Tensor

from estimators import (
    IID,
    Estimator,
    Problem,
    Unsupported,
    make_estimator,
    make_problem,
    replicated,
)
from estimators.score_function import ScoreFunction


def gradients(made: Problem, estimator: Estimator, replicates: int, num_samples: int, seed: int = 0) -> Tensor:
    params = replicated(made.initial_params(), replicates)
    noise = estimator.draw(made, params, num_samples, IID(seed, dtype=torch.float64))
    return next(iter(estimator.gradient(made, params, noise).values())).reshape(replicates, -1)


def exact(made: Problem) -> Tensor:
    found = made.exact_gradient(replicated(made.initial_params(), 1))
    assert found is not None
    return next(iter(found.values())).flatten()


@dataclass(frozen=True)
class Walks:
    """Runs of the random walk in NumPy, and of the same with one step turned round and all other noise in common."""

    p: float
    rise: np.ndarray
    """The probability of a step up, `[steps, runs]`."""
    slope: np.ndarray
    """Its derivative in p."""
    up: np.ndarray
    """Whether the step was up."""
    change: np.ndarray
    """Of the cost, where the step is turned round."""

    @classmethod
    def drawn(cls, steps: int, p: float, runs: int) -> "Walks":
        rng = np.random.default_rng(0)
        u, at = rng.random((steps, runs)), np.zeros((steps + 1, runs))
        for t in range(steps):
            at[t + 1] = at[t] + 2 * (u[t] < np.exp(-at[t] / p)) - 1
        rise, up = np.exp(-at[:-1] / p), np.diff(at, axis=0) > 0
        change = np.empty((steps, runs))
        for t in range(steps):
            other = 2 * at[t] - at[t + 1]
            for s in range(t + 1, steps):
                other = other + 2 * (u[s] < np.exp(-other / p)) - 1
            change[t] = other**2 - at[-1] ** 2
        return cls(p, rise, rise * at[:-1] / p**2, up, change)

    def all_followed(self) -> np.ndarray:
        return (np.where(self.up, -1, 1) * self.slope * self.change).sum(0)

    def one_followed(self, weight: np.ndarray, term: np.ndarray) -> np.ndarray:
        """A term of one step, chosen in proportion to a weight, over its chance."""
        levels = weight.cumsum(0)
        u = np.random.default_rng(1).random(levels.shape[1])
        step = (levels < u * levels[-1]).sum(0).clip(max=len(levels) - 1)[None]
        of_step = np.take_along_axis(weight, step, 0)[0]
        chance = np.where(of_step > 0, of_step / np.where(levels[-1] > 0, levels[-1], 1), 1)
        return np.where(of_step > 0, np.take_along_axis(term * self.change, step, 0)[0] / chance, 0)

    def by_logits(self) -> np.ndarray:
        return self.one_followed(self.rise * (1 - self.rise), np.where(self.up, -1, 1) * self.slope)

    def by_rates(self) -> np.ndarray:
        """A growing p turns steps down into steps up, at a rate that is their weight."""
        rate = np.where(self.up, 0, self.slope / np.where(self.rise < 1, 1 - self.rise, 1))
        return self.one_followed(rate, rate)


def deviation(values: Tensor | np.ndarray) -> tuple[float, float]:
    """The standard deviation, and its standard error."""
    values = np.asarray(values).ravel()
    squares = (values - values.mean()) ** 2
    found = math.sqrt(squares.mean())
    return found, float(squares.std() / math.sqrt(len(values)) / (2 * found))


def errors_apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return abs(one[0] - other[0]) / math.hypot(one[1], other[1])


FOLLOWED = {
    "stochastic-triple:along=parameter": Walks.by_rates,
    "stochastic-triple": Walks.by_logits,
    "per-variable:discrete=rao-blackwellized": Walks.all_followed,
}


@pytest.mark.parametrize("spec", FOLLOWED)
def test_alternatives_that_are_followed_have_the_deviation_of_a_walk_in_numpy(spec: str) -> None:
    steps, p = 10, 10.0
    made = make_problem(f"random-walk:p={p},steps={steps}")
    found = gradients(made, make_estimator(spec), 8_000, 1) / p
    wanted = FOLLOWED[spec](Walks.drawn(steps, p, 50_000))
    assert errors_apart(deviation(found), deviation(wanted)) < 4
    assert errors_apart(deviation(1.08 * found), deviation(wanted)) > 4, "a test that cannot fail"


@pytest.mark.slow
def test_the_published_deviation_of_a_followed_alternative() -> None:
    """n = 50, p = 100: 4.34 where it is chosen in proportion to its rate, as in the paper; 4.49 with logits."""
    made, walks = make_problem("random-walk"), Walks.drawn(50, 100.0, 100_000)
    for spec, wanted in (("stochastic-triple:along=parameter", 4.34), ("stochastic-triple", 4.49)):
        estimator = make_estimator(spec)
        found = deviation(torch.cat([gradients(made, estimator, 4_000, 1, seed) / 100 for seed in range(10)]))
        assert errors_apart(found, (wanted, 0.005)) < 4
        assert errors_apart(found, deviation(FOLLOWED[spec](walks))) < 4
    assert errors_apart(deviation(walks.by_rates()), (4.34, 0.005)) < 4
    assert errors_apart(deviation(walks.by_logits()), (4.34, 0.005)) > 4


@pytest.mark.parametrize(
    ("problem", "said"),
    [("token-policy:length=3", "a single number as its parameter"), ("simulator:customers=2", "a single number")],
)
def test_triples_forwards_are_of_one_parameter(problem: str, said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        make_estimator("stochastic-triple:along=parameter").require_support(make_problem(problem), 2)


def share(found: Tensor, wanted: Tensor) -> tuple[float, float]:
    """How much of the exact gradient the mean has in its direction, and the standard error."""
    each = found @ wanted / wanted.dot(wanted)
    return float(each.mean()), float(each.std()) / math.sqrt(len(each))


@pytest.mark.parametrize("num_samples", [2, 4])
def test_a_baseline_that_contains_the_own_sample_takes_its_share_of_the_gradient(num_samples: int) -> None:
    """1/S of it; leave-one-out takes nothing."""
    made = make_problem("token-policy")
    for estimator, wanted in (
        (ScoreFunction(OwnMean()), 1 - 1 / num_samples),
        (make_estimator("score-function:control_variate=leave-one-out"), 1.0),
    ):
        found = gradients(made, estimator, 20_000, num_samples)
        mean, error = share(found, exact(made))
        assert abs(mean - wanted) < 4 * error < 0.2 / num_samples
        off = (found.mean(0) - wanted * exact(made)) / (found.std(0) / math.sqrt(len(found)))
        assert float(off.abs().max()) < 4.5


@dataclass(frozen=True)
class Answers:
    """Every answer of a token policy, with what each of its tokens has: `[answers, length]`."""

    policy: Tensor
    log_policy: Tensor
    log_reference: Tensor
    writes: Tensor
    """1 up to the end of the answer."""

    @classmethod
    def of(cls, spec: str) -> "Answers":
        made = make_problem(spec)
        params = replicated(made.initial_params(), 1)
        states = made.support(params)
        assert states is not None
        tokens = states.reshape(-1, made.length, made.vocabulary)
        writes = torch.cat([torch.ones_like(tokens[:, :1, 0]), (1 - tokens[:, :-1, 0]).cumprod(1)], 1)
        possible = ((writes > 0) | (tokens[..., 0] > 0)).all(1)  # what follows the end is another end
        tokens, writes = tokens[possible], writes[possible]
        start = torch.eye(made.vocabulary).to(tokens)[0].expand(len(tokens), 1, -1)
        before, policy = torch.cat([start, tokens[:, :-1]], 1), params["policy"][0].requires_grad_()
        own, theirs = (
            writes * (tokens * (before @ table.log_softmax(-1))).sum(-1) for table in (policy, made.reference["policy"])
        )
        return cls(policy, own, theirs, writes)

    def slope(self, each: Tensor) -> Tensor:
        """The derivative of the mean over all answers, with their probabilities fixed."""
        chances = self.log_policy.sum(1).exp().detach()
        return torch.autograd.grad((chances * each.sum(1)).sum(), self.policy, retain_graph=True)[0]


def test_how_the_distance_to_the_reference_enters_a_loss() -> None:
    """Its true gradient is that of k1 in the reward; k3 in the loss gives that of the other divergence."""
    answers = Answers.of("token-policy")
    log_ratio = answers.log_reference - answers.log_policy
    k1, k3 = -log_ratio, answers.writes * (log_ratio.exp() - 1 - log_ratio)
    divergence = (answers.log_policy.sum(1).exp() * k1.sum(1)).sum()
    true = torch.autograd.grad(divergence, answers.policy, retain_graph=True)[0]

    def bias(found: Tensor) -> float:
        return float((found - true).norm() / true.norm())

    def to_go(each: Tensor) -> Tensor:
        return each.detach().flip(1).cumsum(1).flip(1)

    assert bias(answers.slope(to_go(k1) * answers.log_policy)) < 1e-12
    assert bias(answers.slope(to_go(k3) * answers.log_policy + k3)) < 1e-12
    torch.testing.assert_close(answers.slope(k1), torch.zeros_like(true))
    # ∇k3 = (1 − r) ∇log π, whose mean over tokens is −E_π₀ ∇log π = ∇KL(π₀ ‖ π), given what is before.
    other = -answers.slope(log_ratio.exp().detach() * answers.log_policy)
    torch.testing.assert_close(answers.slope(k3), other)
    assert 0.2 < bias(answers.slope(k3)) < 0.6
    # Of each token alone: its score does not see that it leads to other tokens.
    assert 0.2 < bias(answers.slope(k3.detach() * answers.log_policy + k3)) < 0.6
