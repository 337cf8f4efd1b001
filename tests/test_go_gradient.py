r"""Why there is no GO gradient here: for discrete x it is an estimator that is here already, or a noisier form of one.

$\frac{-\partial_\varphi F(x)}{q(x)}\, (f(x + 1) - f(x))$ for each variable and each of its parameters $\varphi$, F the
distribution function (Cong, Zhao, Bai & Carin 2019).
"""

import pytest
import torch
from torch import Tensor

from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families


def test_of_a_poisson_variable_it_is_the_coupled_measure_valued_estimator() -> None:
    """F(x) = Q(x + 1, λ), so that −∂F/∂λ is q(x)."""
    problem, rows = make_problem("poisson-quadratic:dim=1"), 40
    params = {"log_rate": torch.linspace(-1, 2, rows, dtype=torch.float64).unsqueeze(-1)}
    q = problem.distribution(params)
    measure_valued = make_estimator("measure-valued")
    noise = measure_valued.draw(problem, params, 3, IID(0, dtype=torch.float64))
    ((x,),) = noise["pairs"]["rate"]  # the n that its two points share
    rate, step = params["log_rate"].exp(), 1e-6
    slope = (torch.special.gammaincc(x + 1, rate + step) - torch.special.gammaincc(x + 1, rate - step)) / (2 * step)
    weight = -slope / families.unwrap(q).log_prob(x).exp()
    rise = problem.cost(x + 1, params) - problem.cost(x, params)
    wanted = (weight.squeeze(-1) * rise).mean(0).unsqueeze(-1) * rate
    found = measure_valued.gradient(problem, params, noise)["log_rate"]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_of_a_bit_it_is_rao_blackwellized_seen_at_random(p: float) -> None:
    """F(0) = 1 − p and F(1) = 1: nothing at x = 1, and ∂p / (1 − p) times the rise at x = 0. `rao-blackwellized` is its
    mean over x, which costs the same two evaluations and leaves no noise of the bit itself."""
    logit = torch.tensor([[p]], dtype=torch.float64).logit()
    problem = make_problem("bernoulli-toy:dim=1,t=0.1")
    x, odds = torch.tensor([0.0, 1.0]).double(), torch.tensor([1 - p, p]).double()
    rise = (1 - 0.1) ** 2 - 0.1**2
    go = (1 - x) / (1 - p) * rise * p * (1 - p)
    mean, variance = moments(go, odds)
    known = make_estimator("rao-blackwellized")
    rows = logit.expand(2, 1)
    found = known.gradient(problem, {"logits": rows}, torch.tensor([[[0.01], [0.99]]]).double())["logits"].squeeze(-1)
    torch.testing.assert_close(found, mean.expand(2))
    torch.testing.assert_close(variance / mean**2, torch.tensor(p / (1 - p), dtype=torch.float64))


def test_of_classes_its_mean_over_x_is_rao_blackwellized() -> None:
    """Σ_x −∂F(x) (f(x + 1) − f(x)) is Σ_x ∂π(x) f(x), summed by parts; and its variance has 1 / π(x) in it."""
    problem = make_problem("categorical-toy:dim=1")
    logits = problem.initial_params()["logits"]
    pi = logits[0].softmax(0)
    cost = problem.cost(torch.eye(4).double().reshape(4, 1, 1, 4), {"logits": logits}).squeeze(-1)
    jacobian = torch.diag(pi) - pi.outer(pi)  # ∂π(x) in the logits
    go = -jacobian.cumsum(0)[:-1] / pi[:-1].unsqueeze(-1) * (cost[1:] - cost[:-1]).unsqueeze(-1)
    go = torch.cat([go, torch.zeros(1, 4)])
    params = {"logits": logits.expand(1, 1, 4)}
    noise = torch.full((1, 1, 1), 0.5, dtype=torch.float64)
    found = make_estimator("rao-blackwellized").gradient(problem, params, noise)["logits"].flatten()
    mean, variance = moments(go, pi)
    torch.testing.assert_close(found, mean)
    assert float(variance.sum()) > 0.5 * float((mean**2).sum())


def moments(value: Tensor, odds: Tensor) -> tuple[Tensor, Tensor]:
    mean = torch.tensordot(odds, value, 1)
    return mean, torch.tensordot(odds, (value - mean) ** 2, 1)
