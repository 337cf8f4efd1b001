# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""The problems that are programs: estimators against their exact gradients in standard errors, and known values."""

import math

import pytest
import torch
from expectations import exact, expected

from estimators import IID, Params, Problem, Unsupported, make_estimator, make_problem
from estimators.interface import replicated

SPECS = [
    "gridworld:side=2,steps=3",
    "random-walk:p=5,steps=6",
    "token-policy:length=3",
    "layers:bits=2",
    "eight-schools:schools=2",
    "state-space:steps=2",
    "state-space:q=factorised,steps=2",
    "mixture-vae:components=2,points=2",
    "simulator:customers=2",
]
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
DEFENSIVE = "importance-weighted:base=pathwise,proposal=defensive"


def gradients(made: Problem, spec: str, replicates: int, num_samples: int = 2, seed: int = 0) -> Params:
    params, estimator = replicated(made.initial_params(), replicates), make_estimator(spec)
    estimator.require_support(made, num_samples)
    return estimator.gradient(made, params, estimator.draw(made, params, num_samples, IID(seed, dtype=torch.float64)))


def standard_errors_off(made: Problem, found: Params) -> float:
    """Of the entry that is farthest from the exact gradient; infinity where an entry never varies and is wrong."""
    wanted = exact(made, replicated(made.initial_params(), 1))
    worst = 0.0
    for name, value in found.items():
        off = (value - wanted[name]).reshape(len(value), -1)
        error = off.std(0) / math.sqrt(len(off))
        worst = max(worst, float((off.mean(0).abs() / error.clamp(min=1e-12)).max()))
    return worst


def supported(spec: str) -> list[str]:
    made = make_problem(spec)
    if not made.mapped:  # each sample takes a millisecond
        return [LEAVE_ONE_OUT]
    wanted = ["score-function", LEAVE_ONE_OUT, "pathwise", "per-variable", DEFENSIVE]
    return [one for one in wanted if make_estimator(one).unsupported(made, 2) is None]


@pytest.mark.parametrize(("spec", "estimator"), [(spec, one) for spec in SPECS for one in supported(spec)])
def test_estimates_have_the_exact_gradient(spec: str, estimator: str) -> None:
    made = make_problem(spec)
    found = gradients(made, estimator, 2_000 if made.mapped else 50)
    assert standard_errors_off(made, found) < 4.5


def test_a_tenth_of_the_gradient_too_much_is_seen() -> None:
    """The negative control of the test above, at a continuous and at a discrete program."""
    for spec, estimator in (("state-space:steps=2", "pathwise"), ("token-policy:length=3", LEAVE_ONE_OUT)):
        made = make_problem(spec)
        found = {name: 1.1 * value for name, value in gradients(made, estimator, 12_000).items()}
        assert standard_errors_off(made, found) > 4.5


def test_costs_to_go_leave_less_noise_than_all_costs() -> None:
    """The same samples and the same mean, but a variance that is smaller where many costs come before a choice."""
    made = make_problem("state-space:steps=6")
    to_go, total = (gradients(made, f"score-function:credit={credit}", 4_000) for credit in ("to-go", "total"))
    assert float(total["bias"][:, -1].var()) > 2 * float(to_go["bias"][:, -1].var())
    torch.testing.assert_close(to_go["bias"][:, 0], total["bias"][:, 0])


def variance_off(values: torch.Tensor, wanted: float) -> float:
    """How far the variance is from a known one, rounded to three digits, in standard errors."""
    centred = (values - values.mean()) ** 2
    rounded = 2 * 5e-3 * centred.mean()
    return float(((centred.mean() - wanted**2).abs() - rounded).clamp(min=0) / (centred.std() / math.sqrt(len(values))))


@pytest.mark.parametrize(("steps", "wanted"), [(50, 7.5582), (100, 15.1349)])
def test_known_derivative_of_the_random_walk(steps: int, wanted: float) -> None:
    """d/dp at p = 2n."""
    made = make_problem(f"random-walk:p={2 * steps},steps={steps}")
    slope = exact(made, replicated(made.initial_params(), 1))["log_p"] / (2 * steps)
    assert float(slope) == pytest.approx(wanted, abs=6e-5)


@pytest.mark.slow
def test_known_deviations_of_the_random_walk() -> None:
    """Of one sample of d/dp: the score function, plain and with the exact mean as its baseline."""
    made = make_problem("random-walk:p=100,steps=50")
    params = {name: value.requires_grad_() for name, value in replicated(made.initial_params(), 40_000).items()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = made.distribution(params).sample((1,))
    log_q, cost = made.distribution(params).log_prob(x)[0], made.cost(x, params)[0].detach()
    score = torch.autograd.grad(log_q.sum(), params["log_p"])[0] / 100
    mean = expected(made, replicated(made.initial_params(), 1))
    assert variance_off(cost * score, 35.0) < 4
    assert variance_off((cost - mean) * score, 10.6) < 4
    assert variance_off(1.1 * (cost - mean) * score, 10.6) > 4, "a test that cannot fail"


def test_an_advantage_over_the_deviation_of_the_group_is_biased() -> None:
    """As language models are trained with it; leave-one-out is not, on the same group of answers."""
    made = make_problem("token-policy")
    biased = gradients(made, "score-function:control_variate=group-relative", 4_000, 4)
    assert standard_errors_off(made, biased) > 6
    assert standard_errors_off(made, gradients(made, LEAVE_ONE_OUT, 4_000, 4)) < 4.5


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("gridworld:side=1", "side must be at least 2"),
        ("gridworld:slip=1.5", "slip must lie between 0 and 1"),
        ("layers:bits=0", "bits must be at least 1"),
        ("token-policy:length=1", "length must be at least 2"),
        ("eight-schools:schools=9", "schools must be at most 8"),
        ("state-space:steps=0", "steps must be at least 1"),
        ("state-space:q=factorized", "did you mean 'factorised'"),
        ("mixture-vae:components=1", "components must be at least 2"),
        ("simulator:customers=0", "customers must be at least 1"),
    ],
)
def test_options_that_make_no_program_are_refused(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_problem(spec)


@pytest.mark.parametrize("estimator", ["pathwise", "per-variable", "stratified"])
def test_no_derivative_goes_through_a_simulator(estimator: str) -> None:
    with pytest.raises(Unsupported, match="no derivative goes through the cost of simulator"):
        make_estimator(estimator).require_support(make_problem("simulator"), 4)
