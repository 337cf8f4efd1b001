# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""The expected costs of the problems that are programs, against sums and quadratures that are written anew."""

import itertools
import math

import numpy as np
import pytest
import torch
from expectations import exact, expected, scattered
from scipy import integrate, stats

from estimators import IID, make_problem
from estimators.interface import replicated


def log_softmax(row: np.ndarray) -> np.ndarray:
    return row - np.logaddexp.reduce(row)


def test_token_policy_against_every_answer() -> None:
    """Written anew: an answer is a tuple that ends with 0, or that has no 0 at its full length."""
    made = make_problem("token-policy:vocabulary=3,length=4,beta=0.3")
    params = scattered(made, 1)
    policy, reference = params["policy"][0].numpy(), made.reference["policy"].numpy()
    answers = [
        (*most, last)
        for count in range(4)
        for most in itertools.product((1, 2), repeat=count)
        for last in ((0, 1, 2) if count == 3 else (0,))
    ]
    total = certain = 0.0
    for answer in answers:
        before = (0, *answer)
        log_p = sum(log_softmax(policy[one])[other] for one, other in itertools.pairwise(before))
        log_q = sum(log_softmax(reference[one])[other] for one, other in itertools.pairwise(before))
        rewarded = answer[-1] == 0 and all(one != other for one, other in itertools.pairwise(answer))
        reward = (len(answer) - 1) / 3 if rewarded else 0
        total += math.exp(log_p) * (0.3 * (log_p - log_q) - reward)
        certain += math.exp(log_p)
    assert certain == pytest.approx(1, rel=1e-12)
    assert float(expected(made, params)) == pytest.approx(total, rel=1e-11)


def test_layers_against_adaptive_quadrature_and_every_bit() -> None:
    made = make_problem("layers:bits=2")
    params = scattered(made, 1)
    at = {name: value[0].numpy() for name, value in params.items()}
    bits = list(itertools.product((0.0, 1.0), repeat=2))

    def probability(logits: np.ndarray, states: tuple[float, ...]) -> float:
        return float(np.prod([1 / (1 + math.exp(-(2 * b - 1) * one)) for one, b in zip(logits, states, strict=True)]))

    def given(z: float) -> float:
        total = (z - 1) ** 2 / 2
        for first in bits:
            inner = sum((b - 0.4) ** 2 for b in first)
            for second in bits:
                mean, variance = float(np.dot(second, at["out"])), math.exp(2 * at["out_log_scale"])
                weight = probability(np.array(first) @ at["weight"] + at["bias"], second)
                inner += weight * (1 + np.mean(second)) * ((mean - z) ** 2 + variance)
            total += probability(at["slope"] * z + at["logits"], first) * inner
        return float(total)

    loc, scale = float(at["loc"]), math.exp(at["log_scale"])
    wanted = integrate.quad(lambda z: given(z) * stats.norm.pdf(z, loc, scale), loc - 12 * scale, loc + 12 * scale)[0]
    assert float(expected(made, params)) == pytest.approx(wanted, rel=1e-9)


def test_the_scale_of_the_eight_schools_against_adaptive_quadrature() -> None:
    """What depends on the scale alone: with a certain mean and effects of zero, the data do not."""
    made = make_problem("eight-schools")
    params = replicated(made.initial_params(), 1) | {"tau_log_scale": torch.tensor([0.7], dtype=torch.float64)}
    other = params | {"tau_loc": torch.tensor([0.2], dtype=torch.float64)}
    quiet = {"eta_loc": torch.zeros(1, 8), "eta_log_scale": torch.full((1, 8), -40.0)}

    def prior(loc: float) -> float:
        q, p = stats.lognorm(math.exp(0.7), scale=math.exp(loc)), stats.halfcauchy(scale=5)

        def integrand(u: float) -> float:
            return stats.norm.pdf(u, loc, math.exp(0.7)) * (q.logpdf(math.exp(u)) - p.logpdf(math.exp(u)))

        return integrate.quad(integrand, loc - 20, loc + 20, epsabs=1e-11, limit=200)[0]

    found = expected(made, params | quiet) - expected(made, other | quiet)
    assert float(found) == pytest.approx(prior(1.0) - prior(0.2), rel=1e-8)


def test_the_bound_of_the_state_space_is_the_evidence_at_the_posterior() -> None:
    """The posterior by a dense Gaussian; the evidence by the Kalman filter and by that Gaussian alike."""
    made = make_problem("state-space:steps=5")
    decay, steps = 0.7, np.arange(5)
    transition = np.tril(decay ** np.abs(steps[:, None] - steps))
    prior = transition @ transition.T
    y = made.series.numpy()
    gain = prior @ np.linalg.inv(prior + np.eye(5))
    mean, covariance = gain @ y, prior - gain @ prior
    weight, bias, variance = np.zeros(5), mean.copy(), covariance.diagonal().copy()
    for step in range(1, 5):
        weight[step] = covariance[step, step - 1] / covariance[step - 1, step - 1]
        bias[step] -= weight[step] * mean[step - 1]
        variance[step] -= weight[step] * covariance[step, step - 1]
    values = {"weight": weight, "bias": bias, "log_scale": np.log(variance) / 2, "decay": np.array(decay)}
    params = {name: torch.from_numpy(np.asarray(value))[None] for name, value in values.items()}
    evidence = stats.multivariate_normal(np.zeros(5), prior + np.eye(5)).logpdf(y)
    assert float(made.log_evidence(params)) == pytest.approx(evidence, rel=1e-12)
    found = made.evaluate(params, IID(0))
    assert float(found["objective"]) == pytest.approx(-evidence, rel=1e-12)
    assert float(found["gap"]) == pytest.approx(0, abs=1e-12)
    assert all(float(value.abs().max()) < 1e-12 for name, value in exact(made, params).items() if name != "decay")
    moved = params | {"bias": params["bias"] + 0.1}
    assert float(made.evaluate(moved, IID(0))["gap"]) > 0.01


def test_mixture_vae_against_gauss_hermite() -> None:
    made = make_problem("mixture-vae:components=2,points=3")
    params = scattered(made, 1)
    at = {name: value[0].numpy() for name, value in params.items()}
    total, nodes, rule = 0.0, *np.polynomial.hermite_e.hermegauss(60)

    def log_normal(x: np.ndarray, loc: np.ndarray, scale: float) -> np.ndarray:
        return -(((x - loc) / scale) ** 2) / 2 - np.log(scale) - np.log(2 * np.pi) / 2

    for x in made.observation.numpy():
        log_weights = log_softmax(x @ at["which"])
        for c in range(2):
            loc, scale = x @ at["where"][:, c], np.exp(at["log_scale"][c])
            z = loc + scale * nodes
            out = log_normal(x, np.tanh(z[:, None] * at["out_weight"] + at["out_bias"]), 0.5).sum(-1)
            each = log_weights[c] + log_normal(z, loc, scale) - np.log(1 / 2)
            each -= log_normal(z, at["prior_mean"][c], 1.0) + out
            total += np.exp(log_weights[c]) * (rule @ each) / rule.sum()
    assert float(expected(made, params)) == pytest.approx(total, rel=1e-8)


def test_the_queue_against_a_formula_and_against_numpy() -> None:
    arrival, service = 1.3, 1.7
    params = {"log_arrival_rate": math.log(arrival), "log_service_rate": math.log(service)}
    params = {name: torch.tensor([value], dtype=torch.float64) for name, value in params.items()}
    r = arrival / (arrival + service)  # the next one arrives before a service ends
    there = r + (r + 2 * r**2 - r**3)
    two = make_problem("simulator:customers=2,price=0.25")
    assert float(expected(two, params)) == pytest.approx(there / service / 2 + 0.25 * service, rel=1e-12)
    rng = np.random.default_rng(0)
    steps = rng.exponential(1 / service, (5, 200_000)) - rng.exponential(1 / arrival, (5, 200_000))
    moved = np.vstack([np.zeros(200_000), steps.cumsum(0)])
    waits = moved[1:] - np.minimum.accumulate(moved)[1:]  # Lindley: the walk above its lowest point so far
    mean, error = waits.mean(), waits.mean(0).std() / math.sqrt(200_000)
    found = float(expected(make_problem("simulator:customers=5,price=0"), params))
    assert abs(found - mean) < 4 * error < 0.01
