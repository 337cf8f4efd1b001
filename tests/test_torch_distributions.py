# pyright: reportArgumentType=false, reportCallIssue=false
"""Every distribution of torch under every variant of every estimator, against quadrature and sums.

Nothing here is computed by an estimator but what is tested: expectations are those of scipy's distributions.
"""

import math
from dataclasses import dataclass

import pytest
import torch
import torch.distributions as td
from torch import Tensor
from torch_laws import LAWS, Law, exact

from estimators import IID, Params, Problem, make_estimator
from estimators.interface import replicated
from estimators.learning import variance_gradient
from estimators.registry import components

REPLICATES, RARE = 20_000, 5.0


@dataclass(frozen=True)
class Of(Problem):
    """x of a law, f = 1 / (1 + (x − 0.4)²), which is bounded and has no symmetry; or what is like it on a circle."""

    law: Law

    def initial_params(self) -> Params:
        return {name: torch.tensor([value], dtype=torch.float64) for name, value in zip("ab", self.law.at, strict=True)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(self.law.make(params["a"], params["b"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.law.cost(x).sum(-1)


SPECS = [spec for cls in components("estimator").values() for spec in cls.variants()]
LEFT_OUT = {("mixture of Normals", "stratified")}
"""Inverting a distribution function by bisection, which takes longer than all else together."""


def off(spec: str, problem: Problem, exact: dict[str, float], dtype: torch.dtype) -> str | None:
    """What is wrong with an estimator that can be used, and claims no bias; None: nothing."""
    moved = problem.to("cpu", dtype)
    num_samples = next((few for few in (4, 2, 1) if make_estimator(spec).unsupported(moved, few) is None), None)
    if num_samples is None or make_estimator(spec).claim(moved, num_samples) == "biased":
        return None
    point = {name: value.to(dtype) for name, value in problem.initial_params().items()}
    estimator = make_estimator(spec).fit(moved, replicated(point, 1), num_samples, IID(5, dtype=dtype))
    params = replicated(point, REPLICATES)
    found = estimator.gradient(moved, params, estimator.draw(moved, params, num_samples, IID(0, dtype=dtype)))
    for name, values in found.items():
        error = float(values.double().std(0)) / math.sqrt(REPLICATES)
        away = float(values.double().mean(0)) - exact[name]
        if not abs(away) < RARE * error + 2e-5:
            return f"{spec} in {dtype}: {name} is {exact[name] + away:.5f} ± {error:.5f}, not {exact[name]:.5f}"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", LAWS)
def test_right_or_refused(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variance_gradient, "STEPS", 10)
    faults = [
        fault
        for spec in SPECS
        if not any(name == left and spec.startswith(kind) for left, kind in LEFT_OUT)
        if (fault := off(spec, Of(LAWS[name]), exact(name), dtype)) is not None
    ]
    assert faults == []


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_some_unbiased_estimator_can_be_used(name: str) -> None:
    problem = Of(LAWS[name])
    able = [spec for spec in SPECS if make_estimator(spec).unsupported(problem, 4) is None]
    assert any(make_estimator(spec).claim(problem, 4) == "unbiased" for spec in able)
