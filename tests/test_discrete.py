"""Estimators for discrete x: orderings of variance, and what may not go wrong."""

import math

import pytest
import torch
from discrete_workloads import TOYS, log_error, measured, workload
from torch import Tensor
from torch.distributions import Bernoulli, Independent

from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from experiments.gradients.prepare import prepare

# Orderings


ORDER = [
    ("disarm", "arm"),
    ("arms", "score-function:control_variate=leave-one-out"),
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
    "reinmax", "gapped-straight-through", "rao-blackwellized-gumbel-softmax", "rao-blackwellized", "unordered-set",
    "sum-and-sample", "reinforce-without-replacement", "score-function:control_variate=double",
    "score-function:control_variate=discrete-stein", "score-function:control_variate=group-relative",
]  # fmt: skip


@pytest.mark.parametrize("logit", [-1000, -20, 100])
@pytest.mark.parametrize("spec", FAR)
@pytest.mark.usefixtures("short_fits")
def test_nothing_overflows_far_out(spec: str, logit: int) -> None:
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
