"""Compiled gradients are compared with the eager ones, and where rounding is large with float64."""

import pytest
import torch
from torch import Tensor

from estimators import Params
from estimators.registry import make_estimator, make_problem
from experiments.gradients.agreement import MANY, ROUNDING, TRIES, check_agreement, moved_by_rounding
from experiments.gradients.float64 import gradient_in_float64
from experiments.gradients.prepare import prepare


def test_what_rounding_explains_is_no_failure() -> None:
    """Costs of 0.249 and 0.251 nearly cancel: in float32 a gradient keeps three digits, whoever computes it."""
    estimator = make_estimator("score-function:control_variate=leave-one-out")
    workload = prepare(make_problem("bernoulli-toy:dim=200"), estimator, 4)
    params, noise = workload.params(workload.chunk), workload.noise(0)
    eager = workload.gradient(params, noise)
    exact = gradient_in_float64(workload.problem, workload.estimator, params, noise)
    error = (eager["logits"] - exact["logits"]).abs().mean() / exact["logits"].abs().mean()
    assert 10 * ROUNDING[torch.float32] < error < 1e-3
    other = {"logits": exact["logits"].float() * (1 + error)}
    check_agreement(other, eager, lambda number: exact)
    with pytest.raises(ArithmeticError, match="off by"):
        check_agreement({"logits": exact["logits"].float() * (1 + 10 * error)}, eager, lambda number: exact)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([1.0, torch.inf], [1.0, -torch.inf]),
        ([1.0, torch.nan], [1.0, torch.inf]),
        ([2.0, 2.0], [1.0, 1.0]),
        ([1.0, 1e-3], [1.0, 0.0]),
        ([3e38, 2e38], [3e38, 3e38]),
    ],
)
def test_what_is_compared_is_each_entry(found: list[float], expected: list[float]) -> None:
    """Even where float64 knows no better."""

    def repeated(values: list[float]) -> dict[str, Tensor]:
        return {"loc": torch.tensor(values).expand(MANY, 2)}

    check_agreement(repeated(expected), repeated(expected), lambda number: repeated([torch.nan] * 2))
    for exact in (expected, [torch.nan] * 2):
        with pytest.raises(ArithmeticError):
            check_agreement(repeated(found), repeated(expected), lambda number, exact=exact: repeated(exact))


def test_of_one_gradient_it_is_not_asked_how_far_it_is_off() -> None:
    """Two costs that are equal but for rounding: the gradient is nothing else, and any other rounding doubles it."""
    one, other = ({"loc": torch.tensor([[value]])} for value in (1e-9, 2e-9))
    check_agreement(one, other, lambda number: {"loc": torch.zeros(1, 1)})
    with pytest.raises(ArithmeticError, match="not finite"):
        check_agreement({"loc": torch.tensor([[torch.nan]])}, other, lambda number: {})


def test_of_few_replicates_all_entries_are_judged_together() -> None:
    exact = {"loc": torch.ones(2, 1000)}
    check_agreement({"loc": 1 + 1e-6 * torch.ones(2, 1000)}, exact, lambda number: exact)
    for shape in ((2, 1000), (1, 1000), (32, 2)):
        exact = {"loc": torch.ones(shape)}
        with pytest.raises(ArithmeticError, match=r"off by 0\.02"):
            check_agreement({"loc": 1.02 * exact["loc"]}, exact, lambda number, exact=exact: exact)


def test_a_unit_that_nearly_cancels_is_no_failure_though_the_eager_gradient_was_lucky_there() -> None:
    """A network in one state: the rounding of a hidden unit is the same in all replicates.

    Its eager value may be right to the last bit, by accident; 200 times that is what any other order of the sum gives.
    """
    torch.manual_seed(0)
    state = torch.randn(64)
    weight = torch.randn(8, 64)
    weight[:, 0] -= (weight.double() @ state.double() / state[0]).float() * (1 - 1e-3)  # sums of 1e-3 of their terms

    def units(params: Params) -> Params:
        """The derivative in weights behind the units: the units themselves, times a slope of each replicate."""
        slopes = torch.linspace(-1, 1, MANY, dtype=params["w"].dtype)
        return {"w": slopes[:, None] * (params["w"] @ state.to(params["w"].dtype))}

    params = {"w": weight.expand(MANY, 8, 64)}

    def in_float64(number: int) -> Params:
        return units(moved_by_rounding(params, number) if number else {"w": params["w"].double()})

    exact = in_float64(0)["w"]
    lucky = {"w": exact.float()}
    off = (in_float64(1)["w"] - exact).abs().sum(0) / exact.abs().sum(0)
    assert off.max() > 2 * ROUNDING[torch.float32]
    check_agreement({"w": in_float64(TRIES + 1)["w"].float()}, lucky, in_float64)
    with pytest.raises(ArithmeticError, match="off by"):
        check_agreement({"w": lucky["w"] * (1 + 40 * off.max().float())}, lucky, in_float64)
    with pytest.raises(ArithmeticError, match="off by"):
        check_agreement({"w": in_float64(TRIES + 1)["w"].float()}, lucky, lambda number: in_float64(0))


def test_entries_that_are_zero_do_not_hide_how_far_others_are_off() -> None:
    """As those of units that are off in all replicates."""
    exact = {"w": torch.ones(MANY, 2) * torch.tensor([0.0, 1.0])}
    with pytest.raises(ArithmeticError, match=r"off by 0\.03 "):
        check_agreement({"w": 1.03 * exact["w"]}, exact, lambda number: exact)
    with pytest.raises(ArithmeticError, match="off by inf"):
        check_agreement({"w": exact["w"] + 0.1}, exact, lambda number: exact)
