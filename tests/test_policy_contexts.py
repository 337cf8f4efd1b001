# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""Policy gradients of several questions: groups, means over tokens and functions of one's own are those of each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import OneHotCategorical

from estimators import IID, ContextProgram, Drawn, Params, make_estimator, replicated
from estimators.sampling.families import drawn, noise


@dataclass(frozen=True)
class Asked(ContextProgram):
    """Two tokens in answer to a question, of which the first may end it."""

    rows: tuple[int, ...] = (0, 1, 2)
    contexts: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "contexts", torch.eye(3, dtype=torch.float64)[list(self.rows)])

    def initial_params(self) -> Params:
        return {"weights": torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)}

    def run(self, params: Any, sample: Any, context: Tensor) -> Any:
        logits = context @ params["weights"]
        first = sample("first", OneHotCategorical(logits=logits), counts=1)
        yield -first[0] * (1 + context[1])
        second = sample("second", OneHotCategorical(logits=(1 - first[0]) * logits), counts=1 - first[0])
        yield -(1 - first[0]) * second @ context


ADVANTAGES = ["leave-one-out", "group-relative", "length-weighted", "optimal-token", "greedy"]


@pytest.mark.parametrize("credit", ["to-go", "total"])
@pytest.mark.parametrize("advantage", [*ADVANTAGES, "advantages"])
def test_the_gradient_of_several_questions_is_the_mean_of_theirs(advantage: str, credit: str, tmp_path: Path) -> None:
    """On the same answers."""
    if advantage == "advantages":
        own = "def f(rewards, lengths):\n    return (rewards - rewards.mean()) / lengths\n"
        (tmp_path / "asked.py").write_text(own)
        advantage = f"(advantages:function={tmp_path / 'asked.py'}:f)"
    made = Asked()
    estimator = make_estimator(f"policy-gradient:advantage={advantage},credit={credit},aggregation=answer-mean")
    params = replicated(made.initial_params(), 5)
    q = made.distribution(params)
    x = drawn(q, noise(q, 4, IID(0, dtype=torch.float64))).x
    whole = gradient(made, estimator, params, x)
    each = [gradient(Asked((row,)), estimator, params, x[:, :, row : row + 1]) for row in range(3)]
    torch.testing.assert_close(whole, torch.stack(each).mean(0), rtol=1e-10, atol=1e-13)


def gradient(made: Asked, estimator: Any, params: Params, x: Tensor) -> Tensor:
    point = {name: value.clone().requires_grad_() for name, value in params.items()}
    terms = estimator.terms(estimator.of(made, point, Drawn((x,))))
    return torch.autograd.grad(terms.mean(0).sum(), point["weights"])[0]


@pytest.mark.parametrize("variate", ["leave-one-out", "group-mean", "group-relative", "greedy"])
def test_the_score_function_of_several_questions_is_the_mean_of_theirs(variate: str) -> None:
    """An advantage that changes the scale of its costs, too."""
    made, estimator = Asked(), make_estimator(f"score-function:control_variate={variate}")
    params = replicated(made.initial_params(), 5)
    q = made.distribution(params)
    x = drawn(q, noise(q, 4, IID(0, dtype=torch.float64))).x

    def slope(of: Asked, own: Tensor) -> Tensor:
        point = {name: value.clone().requires_grad_() for name, value in params.items()}
        return torch.autograd.grad(estimator.terms(of, point, Drawn((own,))).mean(0).sum(), point["weights"])[0]

    each = [slope(Asked((row,)), x[:, :, row : row + 1]) for row in range(3)]
    torch.testing.assert_close(slope(made, x), torch.stack(each).mean(0), rtol=1e-10, atol=1e-13)


def test_leave_one_out_is_right_for_several_questions() -> None:
    made, estimator = Asked(), make_estimator("policy-gradient")
    params = replicated(made.initial_params(), 20_000)
    found = estimator.gradient(made, params, estimator.draw(made, params, 2, IID(1, dtype=torch.float64)))["weights"]
    exact = made.exact_gradient(replicated(made.initial_params(), 1))
    assert exact is not None
    errors = (found.mean(0) - exact["weights"][0]).abs() / (found.std(0) / len(found) ** 0.5)
    assert float(errors.max()) < 4.5
    wrong = (1.1 * found.mean(0) - exact["weights"][0]).abs() / (found.std(0) / len(found) ** 0.5)
    assert float(wrong.max()) > 4.5, "a test that cannot fail"
