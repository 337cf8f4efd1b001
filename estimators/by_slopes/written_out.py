"""Costs in which log q(x) is written out, as in a negative ELBO that somebody has written by hand."""

import warnings

import torch

from estimators.interface import Params, Problem, start
from estimators.noise import IID
from estimators.sampling import families

__all__ = ["parameters_of_q"]

MANY, FEW = 256, 16
"""Samples on which it is tried, so that a rare branch is met, and where each is a run of its own."""
POINTS, SHIFT = 3, 0.3
"""The start, where a term may be flat or a layer zero, and points about it, moved by so much in each entry."""
ROUNDING = 1e-7
"""The part of the largest entry that is rounding, of factorised matrices too."""


def parameters_of_q(problem: Problem) -> tuple[str, ...]:
    """The names of the parameters of q, where they take part in the cost at fixed x by a multiple of log q(x) alone.

    Empty: they do not, or not as far as can be tried: at the start and about it. The multiple may be the weight of the
    data, or that of a prior. A mini-batch has what was found of the whole.
    """
    if problem.opaque or not problem.cost_depends_on_params:
        return ()
    key = (parameters_of_q.__name__,)
    if key not in problem.trials:
        with warnings.catch_warnings(action="ignore"), torch.enable_grad():
            try:
                problem.trials[key] = _tried(problem)
            except Exception:  # other refusals say what is wrong with it
                problem.trials[key] = ()
    return problem.trials[key]


def _tried(problem: Problem) -> tuple[str, ...]:
    """Of all samples at once: a sum of their costs with random weights has slopes that are those of log q, or not."""
    made = problem.on_least_data.to("cpu", torch.float64)
    begin = {name: value.double() for name, value in start(problem.on_least_data).items()}
    generator, number = torch.Generator().manual_seed(0), MANY if problem.mapped else FEW
    scores, slopes = list[Params](), list[Params]()
    for point in range(POINTS):
        leaves = {name: _moved(value, SHIFT * (point > 0), generator) for name, value in begin.items()}
        try:
            q = made.distribution(leaves)
            x = families.values(q, families.noise(q, number, IID(point, dtype=torch.float64)))
            costs, densities = made.cost(x, leaves)[:, 0], families.log_prob(q, x).reshape(number, -1).sum(1)
        except ValueError:  # a point that q does not accept
            if not point:
                raise
            continue
        for _ in range(2):
            weights = torch.randn(number, generator=generator, dtype=torch.float64)
            scores.append(_gradient(weights @ densities, leaves))
            slopes.append(_gradient(weights @ costs, leaves))
    names = tuple(name for name in begin if any(score[name].any() for score in scores))
    score, slope = (torch.stack([_joined(one, names) for one in each]) for each in (scores, slopes))
    weight = (slope * score).sum() / (score * score).sum()
    differs = (slope - weight * score).abs().max() > ROUNDING * slope.abs().max()
    return () if differs or weight == 0 or not weight.isfinite() else names


def _moved(value: torch.Tensor, by: float, generator: torch.Generator) -> torch.Tensor:
    return (value + by * torch.randn(value.shape, generator=generator, dtype=value.dtype)).requires_grad_()


def _gradient(value: torch.Tensor, leaves: Params) -> Params:
    found = torch.autograd.grad(value, list(leaves.values()), retain_graph=True, materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


def _joined(gradient: Params, names: tuple[str, ...]) -> torch.Tensor:
    return torch.cat([gradient[name].flatten() for name in names])
