"""Estimators from coupled pairs of discrete samples, by hand."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from discrete_workloads import TOY
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, OneHotCategorical

from estimators.discrete.arm import ARM, DisARM
from estimators.discrete.arms import ARMS, _correlation, _events, _ratios
from estimators.discrete.sticks import first_stick
from estimators.interface import Params, Problem
from estimators.noise import IID
from estimators.registry import make_problem


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
    p = torch.tensor([1e-3, 0.05, 0.2, 0.3, 0.5], dtype=torch.float64)
    exponential = -IID(0, dtype=torch.float64).uniform((4, 400_000, 5)).log()
    bits = _events(exponential / exponential.sum(0), p)
    error = (p * (1 - p) / bits[0].numel() * 5).sqrt()
    assert ((bits.mean((0, 1)) - p).abs() < 4.5 * error).all()
    product = (bits[0] - p) * (bits[1] - p) / (p * (1 - p))
    assert ((product.mean(0) - _correlation(p, 4)).abs() < 4.5 * product.std(0) / math.sqrt(400_000)).all()
    assert (_correlation(p, 4) < 0).all()


def test_sticks_make_the_categories() -> None:
    from estimators.discrete.arm import _sticks

    q = OneHotCategorical(logits=torch.tensor([[0.7, -1.2, 0.1, 2.0]], dtype=torch.float64))
    sticks = Bernoulli(logits=_sticks(q))
    total = torch.zeros(4, dtype=torch.float64)
    for bits in itertools.product([0.0, 1.0], repeat=3):
        b = torch.tensor([bits], dtype=torch.float64)
        total += sticks.log_prob(b).sum().exp() * first_stick(b).squeeze(0)
    torch.testing.assert_close(total, q.probs.squeeze(0))


# CARMS

ODDS = torch.tensor([0.1, 0.15, 0.3, 0.45], dtype=torch.float64)
"""Of categories, the rarest first."""


def of_a_pair(num_samples: int) -> Tensor:
    """P(x_s = j, x_t = k) stick by stick, by the copula P(both) = max(0, 2 P(one)^(1/(S−1)) − 1)^(S−1)."""
    sticks = [float(ODDS[k] / ODDS[k:].sum()) for k in range(4)]
    joint = torch.zeros(4, 4, dtype=torch.float64)
    for j, k in itertools.product(range(4), repeat=2):
        chance = 1.0
        for m in range(max(j, k) + 1):
            one, power = sticks[m], num_samples - 1
            both = 1.0 if m == 3 else max(2 * one ** (1 / power) - 1, 0.0) ** power
            if m < min(j, k):
                chance *= 1 - 2 * one + both
            elif m == j == k:
                chance *= both
            elif m == min(j, k):
                chance *= one - both
            else:
                chance *= one if m == max(j, k) else 1 - one
        joint[j, k] = chance
    return joint


@pytest.mark.parametrize("num_samples", [2, 3, 8])
def test_carms_weighs_pairs_by_their_odds_when_independent(num_samples: int) -> None:
    joint = of_a_pair(num_samples)
    torch.testing.assert_close(joint.sum(1), ODDS)
    ratio = _ratios(ODDS[:-1] / ODDS.flip(0).cumsum(0).flip(0)[:-1], num_samples)
    for j, k in itertools.permutations(range(4), 2):
        torch.testing.assert_close(ratio[min(j, k)], ODDS[j] * ODDS[k] / joint[j, k])


def test_carms_pair_by_pair() -> None:
    """Against the double sum of the docstring, over two variables whose categories are not in order."""
    problem = make_problem("categorical-toy:dim=2")
    logits = ODDS[torch.tensor([[2, 0, 3, 1], [0, 3, 1, 2]])].log().expand(30, 2, 4)
    exponential = -IID(0, dtype=torch.float64).uniform((5, 30, 2, 3)).log()
    noise, joint = exponential / exponential.sum(0), of_a_pair(5)
    sticks = ODDS[:-1] / ODDS.flip(0).cumsum(0).flip(0)[:-1]
    ranks = first_stick(((1 - noise) ** 4 < sticks).double()).argmax(-1)
    place = logits[0].argsort(-1)
    x = torch.stack([torch.nn.functional.one_hot(place[d][ranks[..., d]], 4) for d in range(2)], -2).double()
    cost = problem.cost(x, {"logits": logits})
    wanted = torch.zeros_like(logits)
    for s, t in itertools.permutations(range(5), 2):
        j, k = ranks[s], ranks[t]
        weight = torch.where(j == k, 0.0, ODDS[j] * ODDS[k] / joint[j, k]) * (cost[s] - cost[t]).unsqueeze(-1)
        wanted += weight.unsqueeze(-1) * (x[s] - logits.exp()) / 20
    torch.testing.assert_close(ARMS().gradient(problem, {"logits": logits}, noise)["logits"], wanted)


def test_carms_of_two_classes_is_arms_of_bits() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 3, dtype=torch.float64, generator=generator)
    exponential = -IID(1, dtype=torch.float64).uniform((4, 50, 3)).log()
    noise = exponential / exponential.sum(0)
    bits, two = make_problem(TOY), TwoClasses()
    of_bits = ARMS().gradient(bits, {"logits": logits}, noise)["logits"]
    of_classes = ARMS().gradient(two, {"logits": logits}, noise.unsqueeze(-1))["logits"]
    torch.testing.assert_close(of_classes, of_bits)


@dataclass(frozen=True)
class TwoClasses(Problem):
    """The bits of `TOY` as one-hot vectors."""

    def initial_params(self) -> Params:
        return {"logits": torch.zeros(3, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        logits = params["logits"]
        return Independent(OneHotCategorical(logits=torch.stack([0 * logits, logits], -1)), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((x[..., 1] - 0.1) ** 2).mean(-1)
