"""Distributions that nobody has heard of, whose score does not have mean zero: found before any cost is looked at."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from measurements import QUADRATIC, estimated, work
from torch import Tensor
from torch.distributions import Distribution, constraints

from estimators import VariationalProblem, make_estimator
from estimators.interface import Params, Problem
from experiments import measure
from experiments.gradients.workload import Workload
from experiments.measuring import mean_score as tested
from experiments.measuring.mean_score import LEVEL, WRONG_SCORE, mean_score, wrong_score
from experiments.measuring.purse import Purse

SCORE = "score-function:control_variate=leave-one-out"


class Own(Distribution):
    """A distribution of a plug-in: one parameter, a sampler and a density."""

    arg_constraints = {}  # noqa: RUF012 # pyright: ignore
    support = constraints.real  # pyright: ignore
    has_rsample = True

    def __init__(self, theta: Tensor):
        self.theta = theta
        super().__init__(theta.shape, validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.place(torch.rand(self._extended_shape(torch.Size(sample_shape)), dtype=self.theta.dtype))

    def place(self, u: Tensor) -> Tensor:
        raise NotImplementedError


class Late(Own):
    """Exp(1) after θ."""

    def place(self, u: Tensor) -> Tensor:
        return self.theta - torch.log1p(-u)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.theta - value


class Triangle(Own):
    """The density 2 (x − θ) on (θ, θ + 1): it falls to zero at the lower end alone."""

    def place(self, u: Tensor) -> Tensor:
        return self.theta + u.sqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        return (2 * (value - self.theta)).log()


class Widening(Own):
    """Uniform on (0, e^θ)."""

    def place(self, u: Tensor) -> Tensor:
        return u * self.theta.exp()

    def log_prob(self, value: Tensor) -> Tensor:
        return -self.theta.expand_as(value)


class WrongScale(Own):
    """Says N(0, e^2θ), and draws a scale that is 3 % too large."""

    def place(self, u: Tensor) -> Tensor:
        return 1.03 * self.theta.exp() * torch.special.ndtri(u.clamp(1e-7, 1 - 1e-7))

    def log_prob(self, value: Tensor) -> Tensor:
        return -self.theta - (value / self.theta.exp()) ** 2 / 2 - math.log(2 * math.pi) / 2


class WrongShift(WrongScale):
    """Says N(θ, 1), and draws around θ + 0.02."""

    def place(self, u: Tensor) -> Tensor:
        return self.theta + 0.02 + torch.special.ndtri(u.clamp(1e-7, 1 - 1e-7))

    def log_prob(self, value: Tensor) -> Tensor:
        return -((value - self.theta) ** 2) / 2


class Unnormalised(Own):
    """A density e^{−x²/2 + θx} that leaves out what θ does to its integral."""

    def place(self, u: Tensor) -> Tensor:
        return self.theta + torch.special.ndtri(u.clamp(1e-7, 1 - 1e-7))

    def log_prob(self, value: Tensor) -> Tensor:
        return -(value**2) / 2 + self.theta * value


class Honest(Own):
    """N(θ, 1)."""

    def place(self, u: Tensor) -> Tensor:
        return self.theta + torch.special.ndtri(u.clamp(1e-7, 1 - 1e-7))

    def log_prob(self, value: Tensor) -> Tensor:
        return -((value - self.theta) ** 2) / 2


@dataclass(frozen=True)
class Model(Problem):
    """f = e^{−x} of a distribution of one's own."""

    kind: Callable[[Tensor], Distribution] = field(default=Honest)

    @property
    def spec(self) -> str:
        return f"own-{self.kind.__name__}"

    def initial_params(self) -> Params:
        return {"theta": torch.tensor(0.5)}

    def distribution(self, params: Params) -> Distribution:
        return self.kind(params["theta"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (-x).exp()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))


@pytest.mark.parametrize("kind", [Late, Triangle, Widening, WrongScale, WrongShift, Unnormalised])
def test_a_support_that_moves_or_a_sampler_that_lies_is_found(kind: type[Own]) -> None:
    assert mean_score(work("pathwise", Model(kind))) < LEVEL


@pytest.mark.parametrize("problem", [Model(), QUADRATIC, "gamma-cost", "bernoulli-toy", "categorical-toy", "beta-cost"])
def test_a_score_that_has_mean_zero_is_not(problem: Problem | str) -> None:
    assert mean_score(work("score-function", problem)) > 10 * LEVEL


@dataclass(frozen=True)
class Stepped(VariationalProblem):
    """q has another density on either side of θ: as that of a flow with leaky rectifiers before a learned shift."""

    cost_depends_on_params = True

    def initial_params(self) -> Params:
        return {"theta": torch.tensor(0.5)}

    def distribution(self, params: Params) -> Distribution:
        return Steps(params["theta"])

    def energy(self, x: Tensor, params: Params) -> Tensor:
        return (x - 1) ** 2 / 2

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.energy(x, params) + self.distribution(params).log_prob(x)


class Steps(Own):
    """N(0, 1) above zero, the same at half the size below, moved by θ and by θ / 2 before."""

    def place(self, u: Tensor) -> Tensor:
        base = self.theta / 2 + torch.special.ndtri(u.clamp(1e-7, 1 - 1e-7))
        return self.theta + torch.where(base > 0, base, base / 2)

    def log_prob(self, value: Tensor) -> Tensor:
        y = value - self.theta
        base = torch.where(y > 0, y, 2 * y)
        return -((base - self.theta / 2) ** 2) / 2 + torch.where(y > 0, 0.0, math.log(2.0))


@pytest.mark.parametrize("spec", ["path-derivative", "score-function"])
def test_a_jump_of_the_density_that_moves_is_told_of_what_rests_on_the_score(spec: str) -> None:
    assert WRONG_SCORE in measure(Stepped(), make_estimator(spec), num_samples=4, replicates=2048).warnings


def test_it_is_not_of_the_others() -> None:
    assert WRONG_SCORE not in measure(Stepped(), make_estimator("pathwise"), num_samples=4, replicates=2048).warnings


@dataclass(frozen=True)
class OfMany(Model):
    """θ is a mean of 10,000 weights, more than are tested one by one."""

    def initial_params(self) -> Params:
        return {"weights": torch.full((10_000,), 0.5)}

    def distribution(self, params: Params) -> Distribution:
        return self.kind(params["weights"].mean(-1))


@pytest.mark.parametrize(("kind", "right"), [(Honest, True), (WrongScale, False), (Widening, False)])
def test_of_many_entries_sums_with_random_signs_tell(kind: type[Own], right: bool) -> None:
    found = mean_score(work("pathwise", OfMany(kind)))
    assert (found > 10 * LEVEL) if right else (found < LEVEL)


def test_score_functions_are_called_biased_and_pathwise_is_right() -> None:
    """Pathwise and finite differences measure the reference: −e^{−θ} E e^{−E} with E ~ Exp(1)."""
    wrong, right = (estimated(work(spec, Model(Late), 4), replicates=20_032) for spec in (SCORE, "pathwise"))
    assert wrong.verdict == "biased" and WRONG_SCORE in wrong.warnings
    assert right.verdict != "biased" and right.reference_gradient is not None
    assert float(right.reference_gradient["theta"]) == pytest.approx(-math.exp(-0.5) / 2, rel=0.01)


def test_without_a_reference_the_score_alone_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Late, "has_rsample", False)
    monkeypatch.setattr(Late, "sample", lambda self, shape=(): self.rsample(shape).detach(), raising=False)
    found = estimated(work(SCORE, Model(Late), 4), replicates=6_400)
    assert found.reference == "none" and found.verdict == "biased" and WRONG_SCORE in found.warnings


def test_what_a_short_purse_has_found_is_replaced_by_what_a_longer_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ranking may ask first, with hardly any time: 64 replicates show nothing that `measure` has to believe."""
    monkeypatch.setattr(tested, "_found", {})
    problem = work("score-function", Model(Late))
    asked = []
    whole = tested._evidence

    def counting(workload: Workload, purse: Purse) -> tested.Evidence:
        asked.append(purse.seconds)
        return tested.Evidence(1.0, purse.seconds) if purse.seconds < 1 else whole(workload, purse)

    monkeypatch.setattr(tested, "_evidence", counting)
    assert mean_score(problem, Purse(0.0)) == 1.0 and wrong_score(problem, Purse(0.0)) == ""
    assert not asked, "an empty purse pays for nothing"
    assert mean_score(problem, Purse(0.1)) == mean_score(problem, Purse(0.15)) == 1.0 and len(asked) == 1
    assert mean_score(problem, Purse(0.5)) == 1.0 and len(asked) == 2, "that much longer is worth another look"
    assert mean_score(problem) < LEVEL and wrong_score(problem) == WRONG_SCORE
    assert mean_score(problem, Purse(0.0)) < LEVEL and len(asked) == 3, "what is known stays known"


def test_a_test_that_came_to_its_end_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "_found", {})
    mean_score(work("score-function", Model(Late)), Purse(30.0))
    monkeypatch.setattr(tested, "_evidence", lambda *_: pytest.fail("done again"))
    mean_score(work("score-function", Model(Late)), Purse(300.0))
