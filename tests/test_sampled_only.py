"""Costs that are known at samples alone: what each estimator says of where it evaluates them, against where it does."""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

import pytest
import torch
import torch.distributions as td
from cases import ESTIMATORS
from torch import Tensor

from estimators import LatentVariableProblem, Problem, Unsupported, make_estimator
from estimators.interface import Params, start
from estimators.noise import IID
from experiments.gradients.prepare import prepare
from experiments.measuring.differences import applicable
from experiments.ranking.candidates import candidates

pytestmark = pytest.mark.usefixtures("short_fits")

NUM_SAMPLES, REPLICATES = 4, 4_096
FAR = 5.0
"""Standard errors of independent points; those that depend on each other are spread more evenly."""


@dataclass(frozen=True, eq=False)
class Asked(Problem):
    """Notes at which cells of the sample space its cost is asked; with NaN where the parameters have moved."""

    calls: list[Tensor] = field(default_factory=list)

    @abstractmethod
    def odds(self) -> Tensor:
        """The probabilities of the cells."""

    def note(self, cells: Tensor, params: Params) -> None:
        at_home = all(torch.allclose(value.double(), start(self)[name]) for name, value in params.items())
        self.calls.append((cells if at_home else cells * math.nan).detach().flatten())


@dataclass(frozen=True, eq=False)
class Bits(Asked):
    """Two bits, four cells."""

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([1.2, -0.8], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Bernoulli(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        self.note(x @ x.new_tensor([2.0, 1.0]), params)
        return (x - 0.3).square().sum(-1) + x.prod(-1)

    def odds(self) -> Tensor:
        p = self.initial_params()["logits"].sigmoid()
        return torch.outer(torch.stack([1 - p[0], p[0]]), torch.stack([1 - p[1], p[1]])).flatten()


@dataclass(frozen=True, eq=False)
class Choice(Asked):
    """One of five classes, each a cell."""

    def initial_params(self) -> Params:
        return {"logits": torch.tensor([1.0, 0.3, 0.0, -0.5, -1.0], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.OneHotCategorical(logits=params["logits"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        whole = ((x == 0) | (x == 1)).all(-1)
        self.note(torch.where(whole, x @ torch.arange(5.0).to(x), 0.5), params)
        return (x - 0.3).square() @ torch.arange(1.0, 6.0).to(x)

    def odds(self) -> Tensor:
        return self.initial_params()["logits"].softmax(-1)


CELLS = 32


def cell_of(x: Tensor, q: td.Normal) -> Tensor:
    """Quantiles of a Gaussian number."""
    return (CELLS * q.cdf(x)).floor()


@dataclass(frozen=True, eq=False)
class Number(Asked):
    """A Gaussian number; the cells are equally likely."""

    def initial_params(self) -> Params:
        return {"loc": torch.tensor([0.7], dtype=torch.float64), "log_scale": torch.tensor([0.2], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        self.note(cell_of(x, td.Normal(0.7, math.exp(0.2))), params)
        return (x**2 + (2 * x).sin()).sum(-1)

    def odds(self) -> Tensor:
        return torch.full((CELLS,), 1 / CELLS)


@dataclass(frozen=True, eq=False)
class Latent(LatentVariableProblem, Asked):
    """One latent number of one observation."""

    encoder: ClassVar[tuple[str, ...]] = ("loc",)
    observation: Tensor = field(default_factory=lambda: torch.ones(1, 1, dtype=torch.float64))

    def initial_params(self) -> Params:
        return {"loc": torch.tensor([0.4], dtype=torch.float64)}

    def posterior(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"].unsqueeze(-1), 1.0), 1)

    def log_joint(self, z: Tensor, params: Params) -> Tensor:
        self.note(cell_of(z, td.Normal(0.4, 1.0)), params)
        return -(z**2 + (z - 1) ** 2).sum(-1) / 2

    def odds(self) -> Tensor:
        return torch.full((CELLS,), 1 / CELLS)


KINDS = (Bits, Choice, Number, Latent)


def only_samples(made: Asked) -> bool:
    """Whether the points where the cost was asked are distributed as q; those of a call that is repeated count once."""
    calls = [call for place, call in enumerate(made.calls) if not any(map(call.equal, made.calls[:place]))]
    asked = torch.cat(calls)
    cells, odds = made.odds().to(asked), torch.arange(len(made.odds())).to(asked)
    shares = (asked.unsqueeze(-1) == odds).double().mean(0)
    error = (cells * (1 - cells) / len(asked)).sqrt()
    return bool(torch.isin(asked, odds).all() and ((shares - cells).abs() < FAR * error).all())


@cache
def kinds_of(spec: str) -> list[type[Asked]]:
    return [kind for kind in KINDS if make_estimator(spec).unsupported(kind(), NUM_SAMPLES) is None]


@pytest.mark.parametrize(("spec", "kind"), [(spec, kind) for spec in ESTIMATORS for kind in kinds_of(spec)])
def test_an_estimator_asks_for_the_cost_where_it_says(spec: str, kind: type[Asked]) -> None:
    """Learning included. Each replicate has parameters of its own, so that nothing is asked once for all."""
    made, estimator = kind(), make_estimator(spec)
    if spec == "exact":
        return
    params = {name: value.repeat(REPLICATES, *[1] * (value.ndim - 1)) for name, value in start(made).items()}
    source = IID(1, dtype=torch.float64)
    with torch.no_grad():
        noise = estimator.draw(made, params, NUM_SAMPLES, source)
    made.calls.clear()
    estimator.surrogate(made, {name: value.requires_grad_() for name, value in params.items()}, noise)
    estimator.update(made, {name: value.detach() for name, value in params.items()}, noise)
    assert only_samples(made) == (not estimator.traits.elsewhere), estimator.traits.elsewhere


def raising(kind: type[Asked]) -> Asked:
    """Raises where its cost is asked of anything that q cannot draw, or at parameters that have moved."""

    @dataclass(frozen=True, eq=False)
    class Raising(kind):
        sampled_only: ClassVar[bool] = True

        def note(self, cells: Tensor, params: Params) -> None:
            super().note(cells, params)
            if not torch.isin(self.calls.pop(), torch.arange(len(self.odds()), dtype=torch.float64)).all():
                raise RuntimeError("nobody can know that")

        def support(self, params: Params) -> Tensor | None:
            raise RuntimeError("no sum over states")

    return Raising()  # pyright: ignore[reportAbstractUsage]


@pytest.mark.parametrize("kind", [Bits, Choice])
def test_only_those_are_candidates_that_keep_to_the_samples(kind: type[Asked]) -> None:
    asked = raising(kind)
    found = candidates(asked, NUM_SAMPLES)
    assert "straight-through" in found.supported and "score-function" in found.supported and not found.failed
    assert "rebar evaluates the cost at relaxed samples, and here it is known at samples" in found.unsupported["rebar"]
    for spec in found.supported:
        work = prepare(asked, make_estimator(spec), NUM_SAMPLES)
        work.one_gradient()
    with pytest.raises(Unsupported, match="in every state"):
        make_estimator("rao-blackwellized").step(asked, asked.initial_params(), NUM_SAMPLES)
    assert make_estimator("exact").unsupported(asked, 1) is not None


def test_a_reference_is_measured_at_samples_alone() -> None:
    """By two mechanisms; finite differences, which would move the parameters, are no judge."""
    asked = raising(Number)
    work = prepare(asked, make_estimator("pathwise"), NUM_SAMPLES)
    assert not applicable(work) and applicable(prepare(Number(), make_estimator("pathwise"), NUM_SAMPLES))
