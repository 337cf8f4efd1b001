"""KL terms, means over tokens and weights of a policy gradient: by hand for every group, and their claims."""

from collections.abc import Callable

import pytest
import torch
from answers_by_hand import ByHand, by_hand
from groups import exact, groups
from torch import Tensor

from estimators import Unsupported, make_estimator, make_problem

S, STALE = 2, 0.8
POLICY = "token-policy:vocabulary=3,length=2,beta=0.6"
SHORTER = "token-policy:vocabulary=2,length=3,beta=0.6"
"""Where answers have three lengths."""


def leave_one_out(cost: Tensor) -> Tensor:
    return cost - cost.flip(0)  # S = 2


def log_reference(group: ByHand) -> Tensor:
    return group.log_policy_value - group.log_ratio


def k3(log_ratio: Tensor) -> Tensor:
    return (-log_ratio).exp() - 1 + log_ratio


DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "k1": lambda log_ratio, log_p: log_ratio,
    "k2": lambda log_ratio, log_p: log_ratio**2 / 2,
    "k3": lambda log_ratio, log_p: k3(log_ratio),
    "k3-ratio": lambda log_ratio, log_p: (log_p - log_p.detach()).exp() * k3(log_ratio),
}
SUMS: dict[str, Callable[[ByHand, Tensor], Tensor]] = {
    "sum": lambda group, each: each.sum() / S,
    "token-mean": lambda group, each: each.sum() / group.mask.sum(),
    "answer-mean": lambda group, each: (each.sum(1) / group.lengths).mean(),
}


@pytest.mark.parametrize("aggregation", SUMS)
@pytest.mark.parametrize("kl", ["reward", *DIVERGENCES])
def test_losses_of_every_group_by_hand(kl: str, aggregation: str) -> None:
    def loss(group: ByHand) -> Tensor:
        cost = group.penalised if kl == "reward" else group.cost
        each = leave_one_out(group.to_go(cost)) * group.log_p
        if kl != "reward":
            each = each + group.beta * DIVERGENCES[kl](group.log_p - log_reference(group), group.log_p)
        return SUMS[aggregation](group, each * group.mask)

    found = groups(SHORTER, S).gradients(f"policy-gradient:kl={kl},aggregation={aggregation}")
    wanted = by_hand(loss, SHORTER, S)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(1.02 * found, wanted, rtol=1e-4, atol=1e-6), "a test that cannot fail"


def each_ratio(group: ByHand) -> Tensor:
    """The ratio of each token, with its gradient; 1 behind the end."""
    return torch.where(group.mask > 0, group.log_p - group.log_behaviour, 0.0).exp()


def averaged(ratio: Tensor, group: ByHand) -> Tensor:
    return (ratio.log().sum(1) / group.lengths).exp().unsqueeze(1).expand_as(ratio)


RATIOS: dict[str, Callable[[Tensor, ByHand], Tensor]] = {
    "token": lambda ratio, group: ratio,
    "prefix": lambda ratio, group: ratio.cumprod(1),
    "answer": lambda ratio, group: ratio.prod(1, keepdim=True).expand_as(ratio),
    "geometric": averaged,
}
LIMITS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "none": lambda ratio, advantage: ratio * advantage,
    "truncated": lambda ratio, advantage: ratio.clamp(max=1.2) * advantage,
    "masked": lambda ratio, advantage: torch.where(ratio > 1.2, 0.0, ratio) * advantage,
    # As published, of rewards: the smaller of both. Of costs it is the larger.
    "clipped": lambda ratio, advantage: -torch.minimum(ratio * -advantage, ratio.clamp(0.8, 1.2) * -advantage),
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("weights", RATIOS)
def test_weights_of_every_group_by_hand(weights: str, limit: str) -> None:
    """The gradient of a weight times the log-probability, and with the clip that of the published surrogate."""

    def loss(group: ByHand) -> Tensor:
        advantage, ratio = leave_one_out(group.to_go(group.penalised)), each_ratio(group).detach()
        if limit == "clipped" and weights == "token":  # the ratio itself is differentiated
            return (LIMITS[limit](each_ratio(group), advantage) * group.mask).sum() / S
        weight = RATIOS[weights](ratio, group)
        if limit == "clipped":
            inside = weight.clone().requires_grad_()
            slope = torch.autograd.grad(LIMITS[limit](inside, advantage).sum(), inside)[0]
            return (weight * slope * group.mask * group.log_p).sum() / S
        return (LIMITS[limit](weight, advantage) * group.mask * group.log_p).sum() / S

    found = groups(POLICY, S, STALE).gradients(f"policy-gradient:stale={STALE},weights={weights},limit={limit}")
    wanted = by_hand(loss, POLICY, S, STALE)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(1.02 * found, wanted, rtol=1e-4, atol=1e-6), "a test that cannot fail"


def test_a_limit_changes_something() -> None:
    """So that the tests above try it."""
    of = groups(POLICY, S, STALE)
    spec = f"policy-gradient:stale={STALE},weights=token"
    for limit in ("truncated", "masked", "clipped"):
        assert (of.gradients(spec) - of.gradients(f"{spec},limit={limit}")).abs().max() > 1e-3


RECIPES = ["", "aggregation=token-mean", "aggregation=answer-mean", *(f"kl={kl}" for kl in DIVERGENCES)]
STALE_ONES = ["", *(f"weights={one}" for one in (*RATIOS, "cumulative"))]
STALE_ONES += [f"weights={one},limit={limit}" for one in ("token", "answer") for limit in LIMITS if limit != "none"]


@pytest.mark.parametrize("credit", ["to-go", "total"])
@pytest.mark.parametrize("option", [*RECIPES, *(f"stale={STALE},{one}".rstrip(",") for one in STALE_ONES)])
def test_claims_by_the_sum_over_all_groups(option: str, credit: str) -> None:
    if "cumulative" in option and credit == "total":
        pytest.skip("there is no such weight")
    policy, stale = (POLICY, STALE) if "stale" in option else (SHORTER, 0.0)
    spec = f"policy-gradient:credit={credit}" + (f",{option}" if option else "")
    wanted = exact(policy)
    off = float((groups(policy, S, stale).mean(spec) - wanted).norm() / wanted.norm())
    claim = make_estimator(spec).claim(make_problem(policy), S)
    assert (off < 1e-12) if claim == "unbiased" else (off > 0.01)


@pytest.mark.parametrize(
    "advantage", ["none", "greedy", "(optimal-token:over=others)", "(length-weighted:over=others)"]
)
@pytest.mark.parametrize("weights", ["answer", "cumulative"])
def test_weights_of_answers_and_of_costs_are_right_with_every_right_advantage(weights: str, advantage: str) -> None:
    spec = f"policy-gradient:stale={STALE},weights={weights},advantage={advantage}"
    torch.testing.assert_close(groups(POLICY, S, STALE).mean(spec), exact(POLICY), rtol=1e-11, atol=1e-14)


def test_k2_and_k3_times_the_ratio_are_one_gradient() -> None:
    """∇(r k₃) = k₃ ∇log π + (1 − e^−l) ∇log π = l ∇log π = ∇(l²/2), answer by answer."""
    one, other = (groups(SHORTER, S).gradients(f"policy-gradient:kl={kl}") for kl in ("k2", "k3-ratio"))
    torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("advantage=taylor", "an advantage follows from costs alone, and taylor does not"),
        ("weights=token", "say how far away it is, as by stale=0.3"),
        ("stale=1,limit=clipped", "limit=clipped is one of weights: say which"),
        ("stale=1,weights=token,limit=clipped,cap=2", "with limit=clipped below 2"),
        ("stale=1,weights=cumulative,credit=total", "leave credit=total out"),
        ("stale=-1", "stale must be finite and not negative"),
        ("kl=k4", "did you mean 'k[123]'|known:"),
    ],
)
def test_options_that_make_no_policy_gradient_are_refused(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_estimator(f"policy-gradient:{spec}")


def test_problems_without_a_policy_are_refused() -> None:
    for problem, spec, said in [
        ("gaussian-quadratic", "policy-gradient", "needs a policy: a program that says which tokens"),
        ("mixture-vae", "policy-gradient", "needs a policy"),
        ("gridworld", "policy-gradient", "needs a policy"),
        ("token-policy:beta=0", "policy-gradient:kl=k2", "needs a program that yields a Penalty"),
    ]:
        with pytest.raises(Unsupported, match=said):
            make_estimator(spec).require_support(make_problem(problem), 4)
