"""A step of Adam as a function: what is learned and its moments in, the same after the step out."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam

__all__ = ["Moments", "adam_step", "no_moments"]

Moments = dict[str, Any]
"""Adam's `mean` and `square` of each coefficient, `[R, …]`, and the `steps` so far, `[R]`."""
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def no_moments(coefficients: dict[str, Float[Tensor, "R ..."]]) -> Moments:
    """Those before the first step."""
    some = next(iter(coefficients.values()))
    zeros = {name: torch.zeros_like(value) for name, value in coefficients.items()}
    return {"mean": zeros, "square": zeros, "steps": some.new_zeros(len(some))}


def adam_step(
    coefficients: dict[str, Tensor], slopes: dict[str, Tensor], moments: Moments, rate: float
) -> tuple[dict[str, Tensor], Moments]:
    """The coefficients after a step of size `rate` against the slopes, and the moments then.

    `torch.optim.Adam` changes its parameters and its state in place; torch's function of one step, which it calls,
    gets copies.
    """
    names = list(coefficients)
    values, mean, square = (
        [part[name].detach().clone() for name in names] for part in (coefficients, moments["mean"], moments["square"])
    )
    counts = [moments["steps"][0].clone() for _ in names]
    with torch.no_grad():
        adam(
            values,
            [slopes[name].detach() for name in names],
            mean,
            square,
            [],
            counts,
            foreach=False,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )
    after = {"mean": dict(zip(names, mean, strict=True)), "square": dict(zip(names, square, strict=True))}
    return dict(zip(names, values, strict=True)), after | {"steps": moments["steps"] + 1}
