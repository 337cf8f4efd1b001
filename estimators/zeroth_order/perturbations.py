"""Costs at perturbed parameters, for the estimators that differentiate nothing.

The points where the cost is evaluated lie on the replicate axis: N for each of R replicates are `[N·R, *shape]`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, Problem, attached, in_range, start
from estimators.sampling import families
from estimators.sampling.transforms import Transform

__all__ = ["STEP", "attach", "check_step", "flatten", "outside_the_domain", "perturbed", "reusable"]

STEP = 0.2
"""The default step: large enough that float32 rounding is far below the noise."""


def check_step(step: float) -> None:
    """ValueError: the step is not positive and finite."""
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"step_size must be positive and finite, not {step}")


def flatten(params: Params) -> Float[Tensor, "R P"]:
    """All entries of the parameters, in the order of the dictionary."""
    return torch.cat([value.reshape(len(value), -1) for value in params.values()], dim=1)


def perturbed(params: Params, shifts: Float[Tensor, "N #R P"]) -> Params:
    """The parameters with each of N shifts added, detached, `[N·R, *shape]`."""
    moved = (flatten(params).detach() + shifts).flatten(0, 1)
    parts = moved.split([value[0].numel() for value in params.values()], dim=1)
    return {name: part.reshape(len(part), *params[name].shape[1:]) for name, part in zip(params, parts, strict=True)}


def attach(params: Params, slopes: Float[Tensor, "R P"]) -> Float[Tensor, " R"]:
    """Zero, with the slopes as its gradient."""
    return attached(slopes, in_range(flatten(params)))


def reusable(form: Transform) -> bool:
    """Whether the noise of x can be used again at other parameters."""
    return form.fixed_noise and not form.seeded


def outside_the_domain(problem: Problem, shifts: Float[Tensor, "N P"], step: float) -> str | None:
    """Why a step cannot be taken from the initial parameters; None: q accepts all the shifts, in units of the step."""
    try:
        problem.to("cpu", torch.float64).distribution(perturbed(start(problem), step * shifts.unsqueeze(1)))
    except ValueError:
        family = type(families.unwrap(problem.initial_distribution)).__name__
        return f"a step of {step:g} leads from the initial parameters to some that {family} does not accept"
    return None
