"""Refusals of second derivatives where slopes jump: they leave the jumps out."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from estimators.interface.kinks import NUMBER, slopes_jump
from estimators.interface.params import Params
from estimators.interface.problem import Problem, start
from estimators.noise import IID
from estimators.sampling import families
from estimators.sampling.unchecked import without_validation

__all__ = ["smooth_along_path", "smooth_in_parameters", "smooth_in_x"]

ELEMENTS, FEWEST, BLOCK = 2**18, 64, 128
"""Elements of x that a trial takes, if that makes enough samples, of which so many are computed at once."""

Values = Callable[[float, Params, Tensor], Tensor]
"""`[S, *]` for each sample of the noise, moved by t along a line, at parameters `[1, *shape]`."""


def smooth_in_x(problem: Problem) -> str | None:
    """Refuses a cost whose slope jumps in x."""
    made, signs = _made(problem), torch.Generator().manual_seed(0)

    def values(t: float, params: Params, noise: Tensor) -> Tensor:
        x = families.values(made.distribution(params), noise)
        along = 2 * torch.randint(2, x[0].shape, generator=signs.manual_seed(0)) - 1
        return made.cost(x + t * along, params)

    return _refused(problem, values, "the slope of the cost jumps in x")


def smooth_along_path(problem: Problem, form: str) -> str | None:
    """Refuses a cost whose slope in the parameters jumps where samples are functions of them."""
    made = _made(problem)

    def values(t: float, params: Params, noise: Tensor) -> Tensor:
        moved = _moved(params, t)
        return made.cost(families.sample(made.distribution(moved), noise, form), moved)

    return _refused(problem, values, "the slope of the cost jumps along the samples", form)


def smooth_in_parameters(problem: Problem) -> str | None:
    """Refuses a density or a cost whose slope in the parameters jumps at fixed x."""
    made = _made(problem)

    def values(t: float, params: Params, noise: Tensor) -> Tensor:
        x, moved = families.values(made.distribution(params), noise), _moved(params, t)
        density = families.log_prob(made.distribution(moved), x).reshape(len(x), -1)
        return torch.stack([density.sum(1), made.cost(x, moved)[:, 0]], 1)

    return _refused(problem, values, "the slope of log q or of the cost jumps in the parameters")


def _made(problem: Problem) -> Problem:
    return problem.on_least_data.to("cpu", torch.float64)


def _moved(params: Params, t: float) -> Params:
    """Along one line, for all samples."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + t * torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for name, value in params.items()
    }


def _refused(problem: Problem, values: Values, why: str, form: str = "auto") -> str | None:
    """Why second derivatives are wrong, tried once; None: they are right, or it cannot be tried."""
    key = (slopes_jump.__name__, why, form)
    if key not in problem.trials:
        with warnings.catch_warnings(action="ignore"), torch.no_grad(), without_validation():
            try:
                problem.trials[key] = _jumps(problem, values, form)
            except Exception:  # what fails here will fail, and be told, where it is needed
                problem.trials[key] = False
    return f"{why}, which second derivatives do not see" if problem.trials[key] else None


def _jumps(problem: Problem, values: Values, form: str) -> bool:
    params = {name: value.double() for name, value in start(problem.on_least_data).items()}
    q = _made(problem).distribution(params)
    number = max(min(NUMBER, ELEMENTS // q.event_shape.numel()), FEWEST) if problem.mapped else FEWEST
    noise = families.noise(q, number, IID(0, dtype=torch.float64), form)

    def of_all(t: float) -> Tensor:
        return torch.cat([values(t, params, block) for block in noise.split(BLOCK)])

    return slopes_jump(of_all)
