"""Coefficients learned by the gradient of the variance of the estimate."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, derivative, replicated

__all__ = ["minimise_variance"]

STEPS, BATCH, RATE = 300, 256, 0.02

Coefficients = dict[str, Tensor]


def minimise_variance(
    surrogate: Callable[[Params, Coefficients], Float[Tensor, " R"]], params: Params, coefficients: Coefficients
) -> Coefficients:
    r"""The coefficients, with those that require a gradient moved to make the mean of $\lVert \hat g \rVert^2$ small.

    The mean of $\hat g$ does not depend on them, so that this is the total variance. Adam on `BATCH` replicates of the
    surrogate at a time, each of which draws noise of its own; its gradient in the parameters is differentiated in
    turn in the coefficients. `params` have R = 1. Grathwohl et al. 2018, sec. 3.2.
    """
    rows = {name: value[0].detach() for name, value in params.items()}
    optimiser = torch.optim.Adam([value for value in coefficients.values() if value.requires_grad], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        point = {name: value.requires_grad_() for name, value in replicated(rows, BATCH).items()}
        gradients = derivative(surrogate(point, coefficients).sum(), point, differentiable=True)
        square = torch.stack([(value**2).sum() for value in gradients.values()]).sum() / BATCH
        optimiser.zero_grad()
        square.backward(inputs=[value for value in coefficients.values() if value.requires_grad])
        optimiser.step()
        schedule.step()
    return {name: value.detach() for name, value in coefficients.items()}
