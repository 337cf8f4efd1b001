"""Estimators of bits and classes by enumeration and by hand: variances to the last digit, and no luck with seeds."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from estimators.discrete.gumbel_softmax import RaoBlackwellizedGumbelSoftmax
from estimators.discrete.rebar import Rebar, Relax, RelaxedControl
from estimators.interface import Estimator
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.reference import Reference

TOY = "bernoulli-toy:dim=2,logit=0.5,t=0.1"
STEIN = "score-function:control_variate=discrete-stein"
TEMPERATURE = 0.7


def workload(estimator: str | Estimator, problem: str = TOY, num_samples: int = 2) -> Workload:
    made = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return prepare(make_problem(problem), made, num_samples, dtype="float64")


def every_sample(work: Workload) -> tuple[Tensor, Tensor]:
    """Noise `[S, R, D]` of all R = 2^(S D) joint samples, and the probability of each."""
    p = work.point["logits"].sigmoid()
    shape = work.num_samples, len(p)
    bits = torch.tensor(list(itertools.product([0.0, 1.0], repeat=shape[0] * shape[1])), dtype=torch.float64)
    bits = bits.unflatten(1, shape).transpose(0, 1)
    return torch.where(bits > 0.5, p / 2, (1 + p) / 2), torch.where(bits > 0.5, p, 1 - p).prod(-1).prod(0)


def moments(gradient: Tensor, odds: Tensor) -> tuple[Tensor, float]:
    """The mean, and the total variance."""
    mean = odds @ gradient
    return mean, float(odds @ ((gradient - mean) ** 2).sum(1))


def exact(work: Workload) -> Tensor:
    found = find_reference(work)
    assert isinstance(found, Reference) and found.kind == "exact"
    return torch.from_numpy(found.gradient)


def test_the_coefficients_of_discrete_stein_are_those_of_least_variance() -> None:
    """The gradient is linear in α and β, so that the best of them follow from its parts at all joint samples."""
    fitted = workload(STEIN)
    noise, odds = every_sample(fitted)

    def at(coefficients: Tensor) -> Tensor:
        variate = replace(fitted.estimator.control_variate, coefficients=coefficients)  # type: ignore[attr-defined]
        estimator = replace(fitted.estimator, control_variate=variate)  # type: ignore[type-var]
        return estimator.gradient(fitted.problem, fitted.params(len(odds)), noise)["logits"]

    zero, one, two = (at(torch.tensor(pair, dtype=torch.float64)) for pair in ([0, 0], [1, 0], [0, 1]))
    root = odds.sqrt().unsqueeze(1)
    target, *parts = ((root * (part - odds @ part)).flatten() for part in (zero, one - zero, two - zero))
    best = torch.linalg.lstsq(torch.stack(parts, 1), -target.unsqueeze(1)).solution.flatten()
    least, plain = moments(at(best), odds)[1], moments(zero, odds)[1]
    mean, found = moments(fitted.gradient(fitted.params(len(odds)), noise)["logits"], odds)
    torch.testing.assert_close(mean, exact(fitted))
    assert least <= found < 1.02 * least < 0.9 * plain


def test_group_relative_by_hand() -> None:
    """Of two samples the deviation, with the denominator S − 1, is |f₁ − f₂| / √2: advantages are ±1/√2."""
    work = workload("score-function:control_variate=(group-relative:epsilon=0)")
    noise, _ = every_sample(work)
    p = work.point["logits"].sigmoid()
    x = (noise < p).double()
    cost = ((x - 0.1) ** 2).mean(-1)
    advantage = torch.where(cost == cost.flip(0), 0.0, (cost - cost.flip(0)).sign() / 2**0.5)
    wanted = (advantage.unsqueeze(-1) * (x - p)).mean(0)
    torch.testing.assert_close(work.gradient(work.params(noise.shape[1]), noise)["logits"], wanted)


def test_sticks_beyond_both_samples_make_no_difference_to_disarm() -> None:
    """Three sticks for four classes; each stick's pair of bits changes with u at p and at 1 − p alone."""
    work = workload("disarm", "bandit-policy:answers=4,correct=1")
    log_p = work.point["logits"].log_softmax(-1)
    sticks = torch.stack([log_p[k] - log_p[k:].logsumexp(0) for k in range(3)]).exp()
    edges = torch.stack([torch.zeros(3), *torch.stack([sticks, 1 - sticks]).sort(0).values, torch.ones(3)]).double()
    middles, widths = (edges[1:] + edges[:-1]) / 2, edges.diff(dim=0)
    cells = list(itertools.product(range(3), repeat=3))
    noise = torch.stack([torch.stack([middles[i, k] for k, i in enumerate(cell)]) for cell in cells])
    odds = torch.stack([torch.stack([widths[i, k] for k, i in enumerate(cell)]).prod() for cell in cells])
    gradient = work.gradient(work.params(len(cells)), noise.unsqueeze(0))["logits"]
    torch.testing.assert_close(moments(gradient, odds)[0], exact(work))
    pairs = torch.stack([noise < sticks, 1 - noise < sticks], 1).long()
    seen: dict[tuple, list[Tensor]] = {}
    for pair, row in zip(pairs, gradient, strict=True):
        last = max(int(side.tolist().index(1)) if side.any() else 2 for side in pair)
        seen.setdefault(tuple(pair[:, : last + 1].flatten().tolist()), []).append(row)
    assert any(len(rows) > 1 and rows[0].any() for rows in seen.values())
    for rows in seen.values():
        for row in rows[1:]:
            torch.testing.assert_close(row, rows[0], rtol=1e-12, atol=1e-12)


def relaxed_given(logits: Tensor, x: Tensor, v: Tensor) -> Tensor:
    """z given x: by v/(1 − v) times what makes the odds of the other value 1."""
    odds = v / (1 - v)
    return torch.where(x > 0.5, (1 + odds * (1 + logits.exp())).log(), -(1 + odds * (1 + (-logits).exp())).log())


def cost(x: Tensor) -> Tensor:
    return ((x - 0.1) ** 2).mean(-1)


@pytest.mark.parametrize("kind", [Rebar, Relax])
def test_relaxed_controls_by_hand(kind: type[RelaxedControl]) -> None:
    """Before they have learned: (f(x) − f(σ(z̃/τ))) ∇log q + ∇f(σ(z/τ)) − ∇f(σ(z̃/τ))."""
    work = workload("rebar", num_samples=3)
    noise = work.draw(work.source("by hand"), 5)
    logits = work.params(5)["logits"].requires_grad_()
    z = logits - torch.logit(noise["u"])
    x = (z > 0).double()
    free, given = (cost((at / TEMPERATURE).sigmoid()) for at in (z, relaxed_given(logits, x, noise["v"])))
    score = (x * logits - softplus(logits)).sum(-1)
    (wanted,) = torch.autograd.grad((((cost(x) - given).detach() * score + free - given).mean(0)).sum(), logits)
    found = kind(temperature=TEMPERATURE).gradient(work.problem, work.params(5), noise)
    torch.testing.assert_close(found["logits"], wanted)


def test_rao_blackwellized_gumbel_softmax_by_hand() -> None:
    """f'(x) times the mean over z given x of σ'(z/τ)/τ."""
    work = workload(RaoBlackwellizedGumbelSoftmax(temperature=TEMPERATURE), num_samples=3)
    noise = work.draw(work.source("by hand"), 5)
    logits = work.point["logits"]
    x = (noise["u"] < logits.sigmoid()).double()
    soft = (relaxed_given(logits, x, noise["v"]) / TEMPERATURE).sigmoid()
    wanted = ((x - 0.1) * (soft * (1 - soft) / TEMPERATURE).mean(0)).mean(0)  # f' = 2 (x − t) / D, of D = 2
    torch.testing.assert_close(work.gradient(work.params(5), noise)["logits"], wanted)
