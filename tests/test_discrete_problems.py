# pyright: reportCallIssue=false, reportArgumentType=false
"""Problems of bits and of paths, against enumeration."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import scipy.special
import torch
from expectations import exact, expected, scattered

from estimators.interface import replicated
from estimators.registry import make_problem


def bernoulli_gradient(probabilities: np.ndarray, cost: Callable[[np.ndarray], float]) -> np.ndarray:
    """Of E[cost] in the logits, by enumeration: the score of a bit is b − p."""
    gradient = np.zeros(len(probabilities))
    for bits in itertools.product([0.0, 1.0], repeat=len(probabilities)):
        b = np.array(bits)
        weight = np.prod(np.where(b == 1, probabilities, 1 - probabilities))
        gradient += weight * cost(b) * (b - probabilities)
    return gradient


def test_bernoulli_toy_against_enumeration() -> None:
    made = make_problem("bernoulli-toy:dim=4,t=0.3")
    params = scattered(made, 1)
    probabilities = scipy.special.expit(params["logits"][0].numpy())
    wanted = bernoulli_gradient(probabilities, lambda b: float(((b - 0.3) ** 2).mean()))
    np.testing.assert_allclose(exact(made, params)["logits"][0].numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("logit", [0.0, -4.0])
def test_bernoulli_shared_logit_against_enumeration(logit: float) -> None:
    made = make_problem(f"bernoulli-shared-logit:logit={logit}")
    centres = np.array([0.6, 0.51, 0.48])
    probabilities = np.full(3, scipy.special.expit(logit))
    wanted = bernoulli_gradient(probabilities, lambda b: float(((b - centres) ** 2).sum())).sum()
    found = exact(made, replicated(made.initial_params(), 1))["logit"]
    assert found.shape == (1,)
    assert float(found) == pytest.approx(wanted, rel=1e-12)


def test_bernoulli_toy_is_not_enumerated_in_many_dimensions() -> None:
    made = make_problem("bernoulli-toy")
    params = replicated(made.initial_params(), 1)
    assert made.support(params) is None
    # d/dlogit of p(1 − t)² + (1 − p)t² is p(1 − p)(1 − 2t), over 200 dimensions.
    torch.testing.assert_close(
        exact(made, params)["logits"], torch.full((1, 200), 0.25 * (1 - 2 * 0.499) / 200, dtype=torch.float64)
    )


def walk_gradient(steps: int, p: float) -> tuple[float, float]:
    """E[f] and its derivative in log p, from every path and its score."""
    value = slope = 0.0
    for path in itertools.product([1, -1], repeat=steps):
        position, probability, score = 0, 1.0, 0.0
        for step in path:
            hazard = position / p
            rise = np.exp(-hazard)
            probability *= rise if step == 1 else 1 - rise
            if probability == 0:
                break
            score += hazard if step == 1 else -hazard * rise / (1 - rise)
            position += step
        else:
            value += probability * position**2
            slope += probability * position**2 * score
    return value, slope


@pytest.mark.parametrize("p", [0.5, 4.0, 100.0])
def test_random_walk_against_every_path(p: float) -> None:
    made = make_problem(f"random-walk:p={p},steps=9")
    params = replicated(made.initial_params(), 1)
    value, slope = walk_gradient(9, p)
    assert float(expected(made, params)) == pytest.approx(value, rel=1e-12)
    assert float(exact(made, params)["log_p"]) == pytest.approx(slope, rel=1e-11)


def test_paths_of_the_random_walk_have_the_probabilities_of_its_density() -> None:
    made = make_problem("random-walk:steps=5")
    params = {"log_p": torch.tensor([0.5, 2.0], dtype=torch.float64)}
    steps = made.support(params)
    assert steps is not None
    probabilities = made.distribution(params).log_prob(steps).exp()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(2, dtype=torch.float64))
    falls = ((2 * steps - 1).cumsum(-1) < 0).any(-1)
    assert falls.any() and (probabilities[falls] < 1e-40).all(), "it cannot fall below zero"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = made.distribution(params).sample((20_000,))
    seen = (x[:, None] == steps).all(-1).double().mean(0)
    error = (probabilities * (1 - probabilities) / 20_000).sqrt()
    assert ((seen - probabilities).abs() <= 5 * error).all()


@pytest.mark.parametrize("p", [1e-30, 1e-3, 1e6, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_random_walk_is_finite_at_extreme_p(p: float, dtype: torch.dtype) -> None:
    """It goes to and fro between 0 and 1 where p is small, and straight up where it is large."""
    made = make_problem(f"random-walk:p={p},steps=6")
    log_p = made.initial_params()["log_p"].to(dtype).expand(3).requires_grad_()
    x = made.distribution({"log_p": log_p}).sample((50,))
    log_q = made.distribution({"log_p": log_p}).log_prob(x)
    (score,) = torch.autograd.grad(log_q.sum(), log_p)
    gradient = exact(made, {"log_p": log_p})["log_p"]
    assert log_q.isfinite().all() and score.isfinite().all() and gradient.isfinite().all()
    assert float(expected(made, {"log_p": log_p.detach().double()})[0]) == pytest.approx(0 if p < 1 else 36, abs=1e-3)
