"""Coefficients learned by the gradient of the variance of the estimate."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, derivative, replicated
from estimators.learning.adam import Moments, adam_step, no_moments
from estimators.learning.coefficients import Coefficients, for_each_replicate, free

__all__ = ["minimise_variance", "variance_step"]

STEPS, BATCH, RATE = 300, 256, 0.02
STEP_RATE = 0.01


def minimise_variance(
    surrogate: Callable[[Params, Coefficients], Float[Tensor, " C"]], params: Params, coefficients: Coefficients
) -> Coefficients:
    r"""The coefficients, moved to make the mean of $\lVert \hat g \rVert^2$ small.

    The mean of $\hat g$ does not depend on them, so that this is the total variance. Adam on `BATCH` replicates of the
    surrogate at a time, each of which draws noise of its own; its gradient in the parameters is differentiated in
    turn in the coefficients. `params` and `coefficients` have R = 1. Grathwohl et al. 2018, sec. 3.2.
    """
    rows = {name: value[0].detach() for name, value in params.items()}
    moving = {name: value.detach().clone().requires_grad_() for name, value in free(coefficients).items()}
    optimiser = torch.optim.Adam(moving.values(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        point = {name: value.requires_grad_() for name, value in replicated(rows, BATCH).items()}
        gradients = derivative(surrogate(point, coefficients | moving).sum(), point, differentiable=True)
        optimiser.zero_grad()
        (_square(gradients) / BATCH).backward(inputs=list(moving.values()))
        optimiser.step()
        schedule.step()
    return coefficients | {name: value.detach() for name, value in moving.items()}


def variance_step(
    surrogate: Callable[[Coefficients], Float[Tensor, " C"]],
    params: Params,
    coefficients: Coefficients,
    moments: Moments | None,
) -> tuple[Coefficients, Moments]:
    r"""The coefficients of each replicate and Adam's moments, after a step of training.

    $\nabla_\phi \lVert \hat g \rVert^2$ of the one estimate that the step made is an unbiased estimate of the gradient
    of the variance. `params` are those that the surrogate is a function of. Grathwohl et al. 2018, algorithm 1.
    """
    coefficients = for_each_replicate(coefficients, len(next(iter(params.values()))))
    moving = {name: value.clone().requires_grad_() for name, value in free(coefficients).items()}
    gradients = derivative(surrogate(coefficients | moving).sum(), params, differentiable=True)
    slopes = derivative(_square(gradients), moving)
    moved, after = adam_step(moving, slopes, no_moments(moving) if moments is None else moments, STEP_RATE)
    return coefficients | moved, after


def _square(gradients: Params) -> Float[Tensor, ""]:
    return torch.stack([(value**2).sum() for value in gradients.values()]).sum()
