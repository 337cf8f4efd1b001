"""Estimators from coupled pairs of discrete samples, by hand."""

import itertools
import math

import torch
from discrete_workloads import TOY
from torch import Tensor
from torch.distributions import Bernoulli, OneHotCategorical

from estimators.discrete.arm import ARM, DisARM
from estimators.discrete.arms import ARMS
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
