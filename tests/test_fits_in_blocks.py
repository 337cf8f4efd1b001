"""Fits of many parameters go block by block, and find what they would find at once."""

from typing import Any

import pytest
import torch

from estimators.control_variates import optimal_baseline, regression
from estimators.control_variates.muprop import MuProp
from estimators.interface import Params
from estimators.learning import blocks, least_variance
from estimators.learning.fresh_samples import fresh_samples
from estimators.noise import IID
from estimators.registry import make_problem

PROBLEM = make_problem("gaussian-cosine:dim=3").to("cpu", torch.float64)


def params(replicates: int) -> Params:
    return {name: value.double().expand(replicates, *value.shape) for name, value in PROBLEM.initial_params().items()}


@pytest.mark.parametrize("replicates", [1, 2])
def test_moments_of_an_optimal_baseline(monkeypatch: pytest.MonkeyPatch, replicates: int) -> None:
    samples = fresh_samples(PROBLEM, params(replicates), IID(0, dtype=torch.float64), 50)
    whole = optimal_baseline._moments(samples)
    monkeypatch.setattr(blocks, "AT_A_TIME", 7 * 6 * replicates)
    for one, other in zip(optimal_baseline._moments(samples), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0)


def test_moments_of_a_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = fresh_samples(PROBLEM, params(2), IID(0, dtype=torch.float64), 50)
    whole = regression._moments(MuProp(), samples)
    monkeypatch.setattr(blocks, "AT_A_TIME", 7 * 6 * 2 * regression.NUMBERS)
    for one, other in zip(regression._moments(MuProp(), samples), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-15)


def test_coefficients_of_least_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two controls, whose products with the target are those of all gradients together."""
    gradients = [torch.randn(200, 6, dtype=torch.float64) + 5.0 for _ in range(3)]
    places = [iter(range(0, 200, size)) for size in (200, 7)]

    def drawn(of: int) -> Any:
        def fresh(*arguments: Any) -> list[torch.Tensor]:
            first = next(places[of])
            return [value[first : first + arguments[-1]] for value in gradients]

        return fresh

    found = []
    for of, at_a_time in enumerate((2**24, 7 * 6)):
        monkeypatch.setattr(least_variance, "FIT_REPLICATES", 200)
        monkeypatch.setattr(blocks, "AT_A_TIME", at_a_time)
        monkeypatch.setattr(least_variance, "_fresh_gradients", drawn(of))
        found.append(least_variance.least_variance(lambda _: (), PROBLEM, params(1), 1, IID(0)))
    centred = [value - value.mean(0) for value in gradients]
    stacked = torch.stack(centred, 1)
    exact = (stacked[:, 1:] @ stacked.mT).mean(0, keepdim=True)
    for _, products in found:
        torch.testing.assert_close(products, exact, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found[0][0], found[1][0])


def test_an_optimal_baseline_is_that_of_its_formula() -> None:
    """f = (1 + ε)²: E[f s²] / E[s²] is 4 for s = ε of the location, and 12 / 2 for s = ε² − 1 of the scale."""
    problem = make_problem("gaussian-quadratic:dim=1").to("cpu", torch.float64)
    point = {name: value.double().unsqueeze(0) for name, value in problem.initial_params().items()}
    samples = fresh_samples(problem, point, IID(0, dtype=torch.float64), 400_000)
    weighted, squared = optimal_baseline._moments(samples)
    assert (weighted["loc"] / squared["loc"]).item() == pytest.approx(4, rel=0.03)
    assert (weighted["log_scale"] / squared["log_scale"]).item() == pytest.approx(6, rel=0.08)
