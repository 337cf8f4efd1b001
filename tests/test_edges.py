"""What a dtype does not hold of x is said, from where on, where the cost or the score depends on it."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.distributions as td
from measurements import estimated, work
from torch import Tensor
from torch.distributions import transforms as tt

from estimators import Program
from estimators.interface import Params, Problem
from experiments.measuring.edges import Lost, lost_samples
from experiments.measuring.find_reference import find_reference
from experiments.measuring.reference import NoReference

Law = Callable[[Tensor], td.Distribution]
Cost = Callable[[Tensor], Tensor]
SCORE = "score-function:control_variate=leave-one-out"


@dataclass(frozen=True)
class Model(Problem):
    """A law of one parameter and a cost."""

    law: Law = field(default=lambda t: td.Normal(t, 1.0))
    of_x: Cost = field(default=torch.square)
    start: float = 0.0

    @property
    def spec(self) -> str:
        return f"edge-{id(self)}"

    def initial_params(self) -> Params:
        return {"theta": torch.tensor(self.start)}

    def distribution(self, params: Params) -> td.Distribution:
        return self.law(params["theta"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.of_x(x)


def gamma(t: Tensor) -> td.Distribution:
    return td.Gamma(t.exp(), torch.ones_like(t))


def beta(t: Tensor) -> td.Distribution:
    return td.Beta(t.exp(), t.exp())


def tanh(t: Tensor) -> td.Distribution:
    return td.TransformedDistribution(td.Normal(t, 1.0), [tt.TanhTransform()])


def student(t: Tensor) -> td.Distribution:
    return td.StudentT(torch.full_like(t, 0.05), t, 1.0)


def mixed_betas(t: Tensor) -> td.Distribution:
    """Of which nothing is known but x."""
    a, b = torch.tensor([[0.01, 0.02]]).to(t), torch.tensor([[0.1, 2.0]]).to(t)
    return td.MixtureSameFamily(
        td.Categorical(logits=torch.stack([t, 0 * t], -1)), td.Beta(a.expand(len(t), 2), b.expand(len(t), 2))
    )


def entropy(x: Tensor) -> Tensor:
    return (1 - x**2).log()


def near(x: Tensor) -> Tensor:
    return (x - 0.4) ** 2


LOST: dict[str, tuple[Model, str, str]] = {
    "gamma": (
        Model(gamma, torch.log, math.log(0.01)),
        "float32",
        "4. % of the samples have rounded to 1.175494e-38 in",
    ),
    "gamma in float64": (Model(gamma, torch.log, math.log(1e-3)), "float64", "4. % .* to 2.225074e-308 in float64"),
    "beta": (Model(beta, torch.log, math.log(0.01)), "float32", "2. % of the samples have rounded to 1.175494e-38"),
    "upper edge": (
        Model(beta, entropy, math.log(0.01)),
        "float32",
        "6?. % of the samples have rounded to (1|0.9999999) ",
    ),
    "tanh policy": (Model(tanh, entropy, 12.0), "float32", "100 % of the samples have rounded to 1 in float32"),
    "student": (Model(student, lambda x: x.abs().log1p()), "float32", "samples are beyond 3.4e.38 in float32"),
    "mixture": (Model(mixed_betas, torch.log), "float32", "samples have rounded to 1.175494e-38 in float32"),
}
HELD: dict[str, tuple[Model, str]] = {
    "settled beta": (Model(beta, near, math.log(0.01)), "float32"),
    "settled square root": (Model(beta, lambda x: (1 - x).sqrt(), math.log(0.1)), "float32"),
    "settled tanh": (Model(tanh, near, 12.0), "float32"),
    "tanh near its edge": (Model(tanh, near, 6.0), "float32"),
    "settled student": (Model(student, torch.sigmoid), "float32"),
    "beta in float64": (Model(beta, torch.log, math.log(0.1)), "float64"),
    "tanh in float64": (Model(tanh, entropy, 12.0), "float64"),
    "normal": (Model(), "float32"),
    "uniform": (Model(lambda t: td.Beta(t.exp(), t.exp()), torch.log), "float32"),
    "poisson": (Model(lambda t: td.Poisson(t.exp()), torch.square), "float32"),
    "bits": (Model(lambda t: td.Bernoulli(logits=t), torch.square), "float32"),
}


def lost(model: Model, dtype: str) -> Lost:
    return lost_samples(work("score-function", model, 4, dtype=dtype))


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_said_from_where_on(name: str) -> None:
    model, dtype, said = LOST[name]
    found = lost(model, dtype).by_cost
    assert re.search(said, found), found
    assert ("--dtype float64" in found) == (dtype == "float32")


@pytest.mark.parametrize("name", HELD)
def test_what_is_held_or_does_not_matter_is_not(name: str) -> None:
    model, dtype = HELD[name]
    assert lost(model, dtype).by_cost == ""


def test_scores_at_x_alone_are_lost_where_the_density_still_changes() -> None:
    """Not those at what x was made of."""
    assert "where the density still changes" in lost(Model(mixed_betas, near), "float32").by_score
    assert lost(Model(mixed_betas, near), "float32").by_cost == ""
    assert lost(Model(beta, near, math.log(0.01)), "float32").by_score == ""


def test_no_wrong_figure_becomes_a_reference() -> None:
    """d E[log x] / d log a = a ψ'(a) = 1000 at a = 0.001; at what float64 holds of x it is 159."""
    found = find_reference(work("pathwise", Model(gamma, torch.log, math.log(1e-3))))
    assert isinstance(found, NoReference) and "no dtype holds this problem" in found.remark


def test_a_measurement_says_so() -> None:
    found = estimated(work("pathwise", LOST["gamma"][0], 4), replicates=640)
    assert any("where the cost still changes: measure in float64" in line for line in found.warnings)
    assert found.reference == "none"


@dataclass(frozen=True)
class Jumps(Program):
    """An index into a table, a jump at a bit, and the logarithm of a Beta variable."""

    log_concentration: float = 1.0

    @property
    def spec(self) -> str:
        return f"jumps-{self.log_concentration}"

    def initial_params(self) -> Params:
        return {"theta": torch.tensor(self.log_concentration)}

    def run(self, params: Any, sample: Any) -> Any:
        index = sample("index", td.Categorical(logits=params["theta"] * torch.arange(3)))
        bit = sample("bit", td.Bernoulli(logits=params["theta"]))
        x = sample("x", td.Beta(params["theta"].exp(), 1.0))
        return params["theta"].exp() * x.log() + torch.arange(3).to(x)[index] + torch.where(bit == 1, 2.0, index)


def test_discrete_variables_of_programs_have_no_edges() -> None:
    assert lost_samples(work(SCORE, Jumps(), 4)) == Lost("", "")
    assert "have rounded to 1.175494e-38 in float32" in lost_samples(work(SCORE, Jumps(-5.0), 4)).by_cost
