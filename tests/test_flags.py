"""Flags and densities that a small evaluation shows to be wrong are told in a line, before anything is measured."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_validation import Sound, wrong
from torch import Tensor
from torch.distributions import Distribution, Normal

from estimators.interface import Problem
from estimators.pathwise import Pathwise
from experiments.gradients.prepare import prepare


class Wide(Normal):
    """A density of the wrong shape or dtype, as a plug-in's own distribution may have it."""

    change = staticmethod(lambda log_q: log_q.double())

    def log_prob(self, value: Tensor) -> Tensor:
        return self.change(super().log_prob(value))


class Tabled(Wide):
    """Adds a constant that was made by numpy."""

    change = staticmethod(lambda log_q: log_q - torch.from_numpy(np.log(np.full(1, 2.0))))


class Cast(Normal):
    """Is careful, and forgets the way back."""

    def log_prob(self, value: Tensor) -> Tensor:
        return Normal(self.loc.double(), self.scale.double()).log_prob(value.double())


class Summed(Wide):
    change = staticmethod(lambda log_q: log_q.sum(-1))


def of_class(kind: type[Normal]) -> Callable[..., Distribution]:
    return lambda self, params: kind(params["loc"][:, 0], 1.0)


FLAGS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "a cost of parameters": (
        "cost",
        lambda self, x, params: ((x - params["loc"]) ** 2).sum(-1),
        r"the cost of mine has a derivative in loc at fixed x: set cost_depends_on_params = True",
    ),
    "an indicator": (
        "cost",
        lambda self, x, params: (x.sum(-1) > 1).to(x.dtype),
        r"the cost of mine has no derivative in x .*: set differentiable = False, or keep x in the graph",
    ),
    "a cost that cuts the graph": (
        "cost",
        lambda self, x, params: (x.detach() ** 2).sum(-1),
        r"the cost of mine has no derivative in x .*: set differentiable = False",
    ),
    "a truth value": (
        "cost",
        lambda self, x, params: x.sum(-1) > 1,
        r"the cost of mine must be floating-point, not bool: end it with .to\(x.dtype\)",
    ),
    **{
        f"a density in float64: {kind.__name__}": (
            "distribution",
            of_class(kind),
            r"log_prob of the distribution of mine is float64 where the parameters are float32: bring its constants",
        )
        for kind in (Wide, Tabled, Cast)
    },
    "a density that sums": (
        "distribution",
        of_class(Summed),
        r"log_prob of the distribution of mine must be \[S, R\] = \[3, 2\], not \[3\]",
    ),
}


@pytest.mark.parametrize("mistake", FLAGS)
def test_flags_and_densities_that_can_be_seen_to_be_wrong(mistake: str) -> None:
    method, made, said = FLAGS[mistake]
    with pytest.raises(ValueError, match=f"^{said}") as refused:
        prepare(wrong(method, made) if method == "cost" else scalar(made), Pathwise(), 2)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 200


def scalar(distribution: Callable[..., Any]) -> Problem:
    costs = {"distribution": distribution, "cost": lambda self, x, params: x**2}
    return type("Scalar", (Sound,), costs)()


def test_flags_that_promise_less_than_the_cost_has_are_no_mistake() -> None:
    """Nor is a constant cost, or a derivative that is zero: whether it jumps cannot be seen at a few points."""
    plain = {"cost_depends_on_params": True, "differentiable": False}
    for parts in (
        plain,
        {"cost": lambda self, x, params: torch.ones_like(x[..., 0])},
        {"cost": lambda self, x, params: (x + 0 * params["loc"]).sum(-1)},
        {"cost": lambda self, x, params: (x > 1).to(x).sum(-1), "differentiable": False},
        {"cost": lambda self, x, params: x.relu().sum(-1)},
    ):
        prepare(type("Plain", (Sound,), parts)(), Pathwise(), 2)
