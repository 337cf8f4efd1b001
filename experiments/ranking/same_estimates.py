"""Estimators that give the same estimates as the pathwise one, or forms of it that do: a ranking needs one."""

from typing import final

import torch
from torch import Tensor

from estimators.interface import Estimator, Params, Problem, derivative, start
from estimators.noise import IID, NoiseSource
from estimators.pathwise import Pathwise
from estimators.sampling import families
from estimators.sampling.unchecked import without_validation

__all__ = ["same_estimates", "same_gradients"]

SAMPLES = 16
"""Of each form: derivatives that differ somewhere differ at almost every point."""


@final
class Quantiles(NoiseSource):
    """Quantiles of one stream of uniforms: forms that take different noise then stand for equal samples."""

    def __init__(self, seed: int, dtype: torch.dtype):
        self.source = IID(seed, dtype=dtype)
        self.device, self.dtype = self.source.device, dtype

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        return self.source.uniform(shape)

    def stream(self, purpose: str) -> NoiseSource:
        return self.source.stream(purpose)


def same_estimates(problem: Problem, one: Pathwise, other: Pathwise) -> bool:
    r"""Whether two forms give the same x with the same derivative, of the same noise or of equal quantiles.

    Then they give the same estimates, whatever the cost. The derivative of a scalar at a fixed quantile is
    $-\nabla_\theta F / q$, however it is written; but forms may round differently. They are tried in the dtype of the
    measurement.
    """
    return any(_agree(problem, one.form, other.form, kind) for kind in (IID, Quantiles))


def same_gradients(problem: Problem, one: Estimator, other: Estimator) -> bool:
    """Whether two estimators make the same gradient of the same noise, on the least data, at the start.

    They are tried in float64, where costs that cancel leave enough to be compared.
    """
    params = start(problem)
    try:
        here, there = (_gradient(problem.on_least_data, each, params) for each in (one, other))
    except Exception:  # it is measured then, and says there what is wrong
        return False
    return all(_close(here[name], there[name]) for name in params)


def _gradient(problem: Problem, estimator: Estimator, params: Params) -> Params:
    tried, source = problem.to("cpu", torch.float64), IID(0, dtype=torch.float64)
    with without_validation(), torch.no_grad():
        return estimator.gradient(tried, params, estimator.draw(tried, params, SAMPLES, source))


def _close(value: Tensor, like: Tensor) -> bool:
    return bool(torch.dist(value, like) <= torch.finfo(value.dtype).eps ** 0.5 * value.norm())


def _agree(problem: Problem, one: str, other: str, kind: type[IID] | type[Quantiles]) -> bool:
    dtype = problem.measured_in
    try:
        here, there = (_samples_and_slopes(problem, form, kind(0, dtype=dtype)) for form in (one, other))
    except Exception:  # it is measured then, and says there what is wrong
        return False
    return all(_close(value, like) for value, like in zip(here, there, strict=True))


def _samples_and_slopes(problem: Problem, form: str, source: NoiseSource) -> list[Tensor]:
    """x, and the derivatives of a weighted sum of it, with the same random weights for all forms."""
    leaves = {name: value.to(source.dtype).requires_grad_() for name, value in start(problem).items()}
    with without_validation(), torch.enable_grad():
        q = problem.on_least_data.to("cpu", source.dtype).distribution(leaves)
        chosen = families.path_form(q) if form == "auto" else form
        with torch.no_grad():
            noise = families.noise(q, SAMPLES, source, chosen)
        x = families.sample(q, noise, chosen)
        weights = IID(1, dtype=source.dtype).normal(tuple(x.shape))
        return [x.detach(), *derivative((weights * x).sum(), leaves).values()]
