"""Discrete x with states of probability zero: masked logits, and probabilities of exactly 0 and 1."""

import math
from dataclasses import dataclass
from functools import cache

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import IID, Estimator, Params, Problem, make_estimator
from estimators.interface import EXPECTED_COST, Unsupported, replicated, start
from estimators.learning import variance_gradient
from estimators.registry import components
from estimators.sampling import families

REPLICATES = 20_000
MASK = torch.tensor([[0.0, -math.inf, 0.0, 0.0], [-math.inf, 0.0, 0.0, -math.inf]], dtype=torch.float64)
BITS = torch.tensor([0.0, math.inf, -math.inf, 0.0], dtype=torch.float64)


@dataclass(frozen=True)
class Masked(Problem):
    """Two variables of four categories, of which three and two are possible; f = (w·x)² over both."""

    one_hot: bool = True

    def initial_params(self) -> Params:
        return {"theta": torch.tensor([[0.3, 0.1, -0.6, 0.2], [0.5, 0.0, 0.8, -0.2]])}

    def distribution(self, params: Params) -> td.Distribution:
        kind = td.OneHotCategorical if self.one_hot else td.Categorical
        return td.Independent(kind(logits=params["theta"] + MASK.to(params["theta"])), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        weights = torch.tensor([[0.4, 2.0, -1.0, 1.5], [0.3, -0.7, 1.2, 3.0]]).to(params["theta"])
        if self.one_hot:
            return (x * weights).sum((-1, -2)) ** 2
        return (weights[0][x[..., 0]] + weights[1][x[..., 1]]) ** 2

    def support(self, params: Params) -> Tensor:
        states = torch.cartesian_prod(torch.arange(4), torch.arange(4))[:, None].expand(-1, len(params["theta"]), -1)
        return torch.nn.functional.one_hot(states, 4).to(params["theta"].dtype) if self.one_hot else states


@dataclass(frozen=True)
class SureBits(Problem):
    """Four bits of which two are certain, one either way; f = (1 + w·x)²."""

    def initial_params(self) -> Params:
        return {"theta": torch.tensor([0.3, 0.1, -0.6, 0.2])}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Bernoulli(logits=params["theta"] + BITS.to(params["theta"])), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (1 + (x * torch.tensor([0.4, 2.0, -1.0, 1.5]).to(x)).sum(-1)) ** 2

    def support(self, params: Params) -> Tensor:
        bits = torch.cartesian_prod(*[torch.arange(2)] * 4)
        return bits[:, None].expand(-1, len(params["theta"]), -1).to(params["theta"].dtype)


@dataclass(frozen=True)
class Edge(SureBits):
    """The same bits by their probabilities, which are the parameters."""

    def initial_params(self) -> Params:
        return {"theta": torch.tensor([0.6, 1.0, 0.0, 0.3])}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Bernoulli(probs=params["theta"]), 1)


@dataclass(frozen=True)
class EdgeCategory(Masked):
    """The first variable alone, by its probabilities."""

    def initial_params(self) -> Params:
        return {"theta": torch.tensor([[0.5, 0.0, 0.3, 0.2]])}

    def distribution(self, params: Params) -> td.Distribution:
        kind = td.OneHotCategorical if self.one_hot else td.Categorical
        return kind(probs=params["theta"].squeeze(-2))

    def cost(self, x: Tensor, params: Params) -> Tensor:
        weights = torch.tensor([0.4, 2.0, -1.0, 1.5]).to(params["theta"])
        return (1 + (x * weights).sum(-1) if self.one_hot else 1 + weights[x]) ** 2

    def support(self, params: Params) -> Tensor:
        states = torch.arange(4)[:, None].expand(-1, len(params["theta"]))
        return torch.nn.functional.one_hot(states, 4).to(params["theta"].dtype) if self.one_hot else states


@dataclass(frozen=True)
class MaskedParameter(Masked):
    """The mask is in the parameters themselves."""

    def initial_params(self) -> Params:
        return {"theta": super().initial_params()["theta"] + MASK.float()}


SPECS = [spec for cls in components("estimator").values() for spec in cls.variants()]
PROBLEMS: dict[str, Problem] = {
    "one-hot": Masked(),
    "numbers": Masked(one_hot=False),
    "bits": SureBits(),
    "infinite parameters": MaskedParameter(),
    "probabilities": Edge(),
    "one-hot probabilities": EdgeCategory(),
    "probabilities of numbers": EdgeCategory(one_hot=False),
}
DEFAULT = {
    ("infinite parameters", f"score-function:control_variate={name}") for name in ("optimal-baseline", "regression")
}
CASES = [
    pytest.param(spec, name, marks=[] if name in ("one-hot", "bits") or (name, spec) in DEFAULT else [pytest.mark.slow])
    for spec in SPECS
    for name in PROBLEMS
]


@cache
def exact(name: str) -> Tensor:
    """By enumeration, with the probabilities as products; torch's log-probabilities have no derivative at 0 and 1."""
    problem = PROBLEMS[name]
    (theta,) = start(problem).values()
    theta = theta.clone().requires_grad_()
    states = problem.support({"theta": theta})
    assert states is not None
    if name == "bits":
        p = (theta + BITS).sigmoid()
        probability = torch.where(states > 0.5, p, 1 - p).prod(-1)
    elif name == "probabilities":
        probability = torch.where(states > 0.5, theta, 1 - theta).prod(-1)
    elif isinstance(problem, EdgeCategory):
        p = theta.squeeze(1) / theta.sum(-1)
        probability = p.T
    else:
        p = (theta + MASK).softmax(-1)[0]
        index = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        probability = (p[0][index[:, 0]] * p[1][index[:, 1]]).unsqueeze(1)
    total = (probability * problem.cost(states, {"theta": theta})).sum()
    return torch.autograd.grad(total, theta)[0]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_exact_gradient_of_a_problem_with_a_support(name: str) -> None:
    found = PROBLEMS[name].exact_gradient(start(PROBLEMS[name]))
    assert found is not None
    torch.testing.assert_close(found["theta"], exact(name), rtol=1e-9, atol=1e-12)


def fitted(spec: str, problem: Problem, num_samples: int) -> Estimator:
    params = {name: value.double() for name, value in replicated(problem.initial_params(), 1).items()}
    return make_estimator(spec).fit(problem, params, num_samples, IID(7, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore:.* has learned nothing")
@pytest.mark.parametrize(("spec", "name"), CASES)
def test_right_or_refused(spec: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finite in value and gradient; and exact in the mean, in standard errors, where it claims that."""
    monkeypatch.setattr(variance_gradient, "STEPS", 20)
    problem = PROBLEMS[name].to("cpu", torch.float64)
    num_samples = next((few for few in (4, 2, 8) if make_estimator(spec).unsupported(problem, few) is None), None)
    if num_samples is None:
        return
    estimator = fitted(spec, problem, num_samples)
    point = {key: value.double() for key, value in problem.initial_params().items()}
    params = replicated(point, REPLICATES)
    noise = estimator.draw(problem, params, num_samples, IID(0, dtype=torch.float64))
    assert estimator.surrogate(problem, params, noise).isfinite().all()
    found = estimator.gradient(problem, params, noise)["theta"]
    assert found.isfinite().all()
    known = estimator.objective(problem, num_samples) == EXPECTED_COST
    if known and estimator.claim(problem, num_samples) == "unbiased":
        error = found.std(0) / math.sqrt(REPLICATES)
        assert ((found.mean(0) - exact(name)[0]).abs() < 4.5 * error + 1e-9).all()
    narrow = {key: value.float().requires_grad_() for key, value in problem.initial_params().items()}
    loss = make_estimator(spec).loss(problem.to("cpu", torch.float32), narrow, num_samples, IID(1))
    loss.backward()
    slope = narrow["theta"].grad
    assert loss.isfinite() and slope is not None and slope.isfinite().all()


SUPPORTED = [
    ("one-hot", "disarm"), ("one-hot", "rebar"), ("one-hot", "relax"), ("one-hot", "rao-blackwellized-gumbel-softmax"),
    ("one-hot", "unordered-set"), ("one-hot", "reinforce-without-replacement"), ("one-hot", "sum-and-sample"),
    ("numbers", "unordered-set"), ("bits", "arm"), ("bits", "arms"), ("bits", "disarm"), ("bits", "relax"),
    ("bits", "score-function:control_variate=discrete-stein"), ("bits", "importance-weighted"),
    ("probabilities", "rao-blackwellized"), ("probabilities", "measure-valued"),
    ("one-hot probabilities", "rao-blackwellized"), ("probabilities of numbers", "measure-valued"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spec"), SUPPORTED)
def test_what_can_be_used(name: str, spec: str) -> None:
    assert make_estimator(spec).unsupported(PROBLEMS[name], 4) is None


@pytest.mark.parametrize("spec", ["score-function", "disarm", "unordered-set"])
def test_a_score_at_the_edge_is_refused(spec: str) -> None:
    """A state that never comes has a share in the gradient."""
    with pytest.raises(Unsupported, match="moves with its parameters"):
        make_estimator(spec).require_support(
            PROBLEMS["one-hot probabilities" if spec == "disarm" else "probabilities"], 2
        )


def test_masked_states_are_no_states() -> None:
    """Six joint states are possible, of sixteen."""
    made = make_estimator("unordered-set")
    assert made.unsupported(Masked(), 6) is None
    assert made.unsupported(Masked(), 7) == "x has 6 joint states, fewer than num_samples = 7"
    with torch.no_grad():
        params = replicated(start(Masked()), 1)
        params = {name: value.squeeze(1) for name, value in params.items()}
        x = made.draw(Masked(), params, 6, IID(0, dtype=torch.float64))
    assert families.log_prob(Masked().distribution(params), x).isfinite().all() and len(x.unique(dim=0)) == 6


def test_rounding_draws_no_masked_category() -> None:
    """Shares that sum to less than one in float32 leave a gap at the end, which belongs to none of the masked."""
    logits = torch.cat([torch.full((1, 300), 0.1), torch.full((1, 3), -math.inf)], -1)
    q = td.Categorical(logits=logits)
    u = torch.tensor([[1 - 2**-24]])
    assert families.values(q, u).item() == 299
