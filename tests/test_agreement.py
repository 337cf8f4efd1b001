"""Compiled gradients are compared with the eager ones, and where rounding is large with float64."""

import pytest
import torch
from torch import Tensor

from estimators.registry import make_estimator, make_problem
from experiments.gradients.agreement import MANY, ROUNDING, check_agreement
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
    check_agreement(other, eager, lambda: exact)
    with pytest.raises(ArithmeticError, match="off by"):
        check_agreement({"logits": exact["logits"].float() * (1 + 10 * error)}, eager, lambda: exact)


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

    check_agreement(repeated(expected), repeated(expected), lambda: repeated([torch.nan] * 2))
    for exact in (expected, [torch.nan] * 2):
        with pytest.raises(ArithmeticError):
            check_agreement(repeated(found), repeated(expected), lambda exact=exact: repeated(exact))


def test_of_one_gradient_it_is_not_asked_how_far_it_is_off() -> None:
    """Two costs that are equal but for rounding: the gradient is nothing else, and any other rounding doubles it."""
    one, other = ({"loc": torch.tensor([[value]])} for value in (1e-9, 2e-9))
    check_agreement(one, other, lambda: {"loc": torch.zeros(1, 1)})
    with pytest.raises(ArithmeticError, match="not finite"):
        check_agreement({"loc": torch.tensor([[torch.nan]])}, other, dict)


def test_of_few_replicates_all_entries_are_judged_together() -> None:
    exact = {"loc": torch.ones(2, 1000)}
    check_agreement({"loc": 1 + 1e-6 * torch.ones(2, 1000)}, exact, lambda: exact)
    for shape in ((2, 1000), (1, 1000), (32, 2)):
        exact = {"loc": torch.ones(shape)}
        with pytest.raises(ArithmeticError, match=r"off by 0\.02"):
            check_agreement({"loc": 1.02 * exact["loc"]}, exact, lambda exact=exact: exact)
