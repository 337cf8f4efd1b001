"""Advantages of a group of answers: by hand for every group, and their bias by the sum over all groups."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from answers_by_hand import ByHand, by_hand
from groups import exact, groups
from torch import Tensor
from torch.distributions import Normal

from estimators import Params, Program, Unsupported, make_estimator, make_problem

S = 3
SHORT = "token-policy:vocabulary=2,length=2,beta=0.6"
Baseline = Callable[[ByHand, Tensor], Tensor]


def others(weight: Tensor, cost: Tensor) -> Tensor:
    """The weighed mean of the other samples, by loops."""
    rows = []
    for s in range(len(cost)):
        rest = [r for r in range(len(cost)) if r != s]
        rows.append((weight[rest] * cost[rest]).sum(0) / weight[rest].sum(0))
    return torch.stack(rows)


def energy(group: ByHand) -> Tensor:
    return (group.energy * group.mask).cumsum(1)


def whitened(group: ByHand, cost: Tensor) -> Tensor:
    """As training libraries have it: over all tokens of the batch that are not masked."""
    kept = cost[group.mask > 0]
    return (cost - kept.mean()) / (kept.std() + 1e-4)


def greedy(group: ByHand, cost: Tensor) -> Tensor:
    """The most likely answer, found by following the largest logit; its costs to go, or their sum for all tokens."""
    table, before, each, repeats = group.policy.detach().log_softmax(-1), 0, [], False
    for t in range(cost.shape[1]):
        token = int(table[before].argmax())
        ratio = table[before, token] - make_problem(SHORT).reference["policy"].log_softmax(-1)[before, token]  # type: ignore[attr-defined]
        each.append(group.beta * ratio)
        if token == 0:
            each[-1] = each[-1] - (0 if repeats else t / (cost.shape[1] - 1))
            break
        repeats, before = repeats or token == before, token
    each = torch.stack(each + [torch.zeros(()).double()] * (cost.shape[1] - len(each)))
    to_go = group.to_go(each.unsqueeze(0))
    return to_go if not torch.equal(cost, cost[:, :1].expand_as(cost)) else to_go[:, :1].expand_as(to_go)


ADVANTAGES: dict[str, Baseline] = {
    "none": lambda group, cost: cost,
    "leave-one-out": lambda group, cost: cost - others(torch.ones_like(cost), cost),
    "group-mean": lambda group, cost: cost - cost.mean(0),
    "group-relative": lambda group, cost: (cost - cost.mean(0)) / (cost.std(0) + 1e-4),
    "batch-normalized": whitened,
    "greedy": lambda group, cost: cost - greedy(group, cost),
    "length-weighted": lambda group, cost: cost - (group.lengths @ cost) / group.lengths.sum(),
    "length-weighted:over=others": lambda group, cost: cost - others(group.lengths.unsqueeze(1).expand_as(cost), cost),
    "optimal-token": lambda group, cost: cost - (energy(group) * cost).sum(0) / energy(group).sum(0),
    "optimal-token:over=others": lambda group, cost: cost - others(energy(group), cost),
}


@pytest.mark.parametrize("credit", ["to-go", "total"])
@pytest.mark.parametrize("name", ADVANTAGES)
def test_every_group_by_hand(name: str, credit: str) -> None:
    """Means and variances follow, to the last digit."""

    def loss(group: ByHand) -> Tensor:
        cost = group.to_go(group.penalised)
        cost = cost[:, :1].expand_as(cost) if credit == "total" else cost
        return (ADVANTAGES[name](group, cost) * group.mask * group.log_p).sum() / S

    found = groups(SHORT, S).gradients(f"policy-gradient:advantage=({name}),credit={credit}")
    wanted = by_hand(loss, SHORT, S)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(1.02 * found, wanted, rtol=1e-4, atol=1e-6), "a test that cannot fail"


ESTIMATORS = ["score-function:control_variate=({})", "score-function:control_variate=({}),credit=total"]
ESTIMATORS += ["policy-gradient:advantage=({})", "policy-gradient:advantage=({}),credit=total"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ADVANTAGES)
def test_claims_by_the_sum_over_all_groups(name: str, estimator: str) -> None:
    spec = estimator.format(name)
    off = float((groups(SHORT, S).mean(spec) - exact(SHORT)).norm() / exact(SHORT).norm())
    claim = make_estimator(spec).claim(make_problem(SHORT), S)
    assert (off < 1e-12) if claim == "unbiased" else (off > 0.02)


@pytest.mark.parametrize("num_samples", [2, 3, 4])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_own_sample_in_the_mean_shrinks_the_gradient_by_its_share(estimator: str, num_samples: int) -> None:
    """The factor is 1 − 1/S, and nothing else."""
    found = groups(SHORT, num_samples).mean(estimator.format("group-mean"))
    torch.testing.assert_close(found, (1 - 1 / num_samples) * exact(SHORT), rtol=1e-11, atol=1e-14)


def test_a_group_that_agrees_teaches_nothing() -> None:
    of = groups("token-policy:vocabulary=2,length=2,beta=0")
    agree = (of.x[0] == of.x[1]).all(-1)
    for name in ("group-mean", "group-relative:epsilon=0", "batch-normalized:epsilon=0", "length-weighted"):
        found = of.gradients(f"policy-gradient:advantage=({name}),credit=total")
        assert found[agree].abs().max() < 1e-12 < found.abs().max()


@dataclass(frozen=True)
class Continuous(Program):
    """A policy whose one action is a number."""

    def initial_params(self) -> Params:
        return {"loc": torch.tensor(0.3)}

    def run(self, params: Any, sample: Any) -> Any:
        return sample("action", Normal(params["loc"], 1.0), counts=1) ** 2


def test_what_an_advantage_needs_is_said() -> None:
    continuous = Continuous()
    toy = make_problem("gaussian-quadratic")
    for spec, problem, said in [
        ("length-weighted", toy, "length-weighted needs a policy"),
        ("optimal-token", make_problem("mixture-vae"), "needs a policy"),
        ("greedy", continuous, "greedy needs discrete variables of finitely many states"),
        ("optimal-token", continuous, "needs tokens, and .* is continuous"),
    ]:
        with pytest.raises(Unsupported, match=said):
            make_estimator(f"score-function:control_variate={spec}").require_support(problem, 2)
    with pytest.raises(Unsupported, match="num_samples of at least 2"):
        make_estimator("score-function:control_variate=group-mean").require_support(toy, 1)
    with pytest.raises(ValueError, match="epsilon must be finite"):
        make_estimator("score-function:control_variate=(batch-normalized:epsilon=-1)")
