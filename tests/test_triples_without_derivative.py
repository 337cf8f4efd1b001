"""Stochastic triples of a program without a derivative: refused where a variable has no states to be followed."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from estimators import Params, Program, make_estimator


@dataclass(frozen=True)
class Shop(Program):
    """An order, and whether it rains, for code that is not written in torch."""

    differentiable: ClassVar[bool] = False

    def initial_params(self) -> Params:
        return {"loc": torch.tensor(0.5), "logit": torch.tensor(0.2)}

    def run(self, params: Any, sample: Any) -> Tensor:
        order, rain = sample("order", Normal(params["loc"], 1.0)), sample("rain", Bernoulli(logits=params["logit"]))
        return (order.detach() - rain) ** 2


def test_a_path_through_a_cost_without_a_derivative_is_refused() -> None:
    reason = make_estimator("stochastic-triple").unsupported(Shop(), 4)
    assert reason == 'no derivative goes through the cost, and the states of "order" cannot be followed'
