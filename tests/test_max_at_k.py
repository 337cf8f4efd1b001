# pyright: reportArgumentType=false
"""The best of k answers: its exact gradient, and the estimates of all groups of answers."""

import itertools
import math

import pytest
import torch
from groups import flat, groups

from estimators import Drawn, Unsupported, make_estimator, make_problem, replicated
from estimators.policies.max_at_k import BestOf, MaxAtK
from experiments import measure

POLICY = "token-policy:vocabulary=2,length=3,beta=0"
PENALISED = "token-policy:vocabulary=2,length=2,beta=0.6"


@pytest.mark.parametrize("k", [2, 3, 8])
@pytest.mark.parametrize("rate", [0.05, 0.6])
def test_the_exact_gradient_is_that_of_pass_at_k(k: int, rate: float) -> None:
    r"""$k (1-p)^{k-1} \nabla p$, of which $\nabla p$ is minus the gradient of the expected cost."""
    made = make_problem(f"bandit-policy:success_rate={rate}")
    params = replicated(made.initial_params(), 1)
    one = made.exact_gradient(params)
    found = BestOf(k).exact(made, params, 4)
    assert one is not None and found is not None
    torch.testing.assert_close(found["logits"], k * (1 - rate) ** (k - 1) * one["logits"], rtol=1e-9, atol=1e-12)


def least_of(spec: str, k: int) -> torch.Tensor:
    """The gradient of the mean of the least, by the sum over all k-tuples of answers."""
    of = groups(spec, k)
    params = {n: v.requires_grad_() for n, v in replicated(of.problem.initial_params(), of.x.shape[1]).items()}
    odds = of.problem.distribution(params).log_prob(of.x).sum(0).exp()
    total = (odds * of.problem.cost(of.x, params).amin(0)).sum()
    return flat(dict(zip(params, torch.autograd.grad(total, list(params.values())), strict=True))).sum(0)


@pytest.mark.parametrize("spec", [POLICY, PENALISED])
@pytest.mark.parametrize(("k", "num_samples"), [(2, 2), (2, 3), (3, 3), (2, 4)])
def test_all_groups_have_the_exact_gradient_in_the_mean(spec: str, k: int, num_samples: int) -> None:
    of, estimator = groups(spec, num_samples), MaxAtK(k)
    params = {n: v.requires_grad_() for n, v in replicated(of.problem.initial_params(), of.x.shape[1]).items()}
    value = estimator.of(of.problem, params, Drawn((of.x,)))
    assert (value == 0).all()
    each = flat(dict(zip(params, torch.autograd.grad(value.sum(), list(params.values())), strict=True)))
    wanted = BestOf(k).exact(of.problem, replicated(of.problem.initial_params(), 1), num_samples)
    assert wanted is not None
    torch.testing.assert_close(of.odds @ each, flat(wanted)[0], rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(flat(wanted)[0], least_of(spec, k), rtol=1e-10, atol=1e-13)
    assert not torch.allclose(1.02 * of.odds @ each, flat(wanted)[0], rtol=1e-3), "a test that cannot fail"


def test_weights_by_hand() -> None:
    """Of all groups of k, what a sample saves against the best of the others in it."""
    costs, k = torch.tensor([0.5, -1.0, 2.0, 0.0, 0.7], dtype=torch.float64), 3
    weights, least = MaxAtK(k)._weights(len(costs), costs)
    ranked = costs.sort().values
    wanted, share = torch.zeros(5).double(), torch.zeros(5).double()
    for group in itertools.combinations(range(5), k):
        for i in group:
            rest = [j for j in group if j != i]
            wanted[i] += (ranked[list(group)].min() - ranked[rest].min()) / math.comb(5, k)
        share[min(group)] += 1 / math.comb(5, k)
    torch.testing.assert_close(weights @ ranked, wanted)
    torch.testing.assert_close(least, share)


def test_it_is_measured_against_its_own_objective() -> None:
    made = make_problem("bandit-policy:success_rate=0.2")
    found = measure(made, make_estimator("max-at-k:k=4"), num_samples=8, replicates=20_000)
    assert found.verdict != "biased" and found.detectable_bias is not None and found.detectable_bias < 0.05
    reference = BestOf(4).exact(made, replicated(made.initial_params(), 1), 8)
    assert reference is not None and found.gradient_norm == pytest.approx(float(reference["logits"].norm()))


def test_where_it_cannot_be_used() -> None:
    for problem, num_samples, said in [
        ("gaussian-quadratic", 4, "needs finitely many states"),
        ("digits-sbn:latent=2,points=2", 4, "takes the best of answers to one question, and there are"),
        ("token-policy", 1, "num_samples of at least 2"),
    ]:
        with pytest.raises(Unsupported, match=said):
            make_estimator("max-at-k").require_support(make_problem(problem), num_samples)
    with pytest.raises(ValueError, match="k must be at least 2, not 1"):
        make_estimator("max-at-k:k=1")
