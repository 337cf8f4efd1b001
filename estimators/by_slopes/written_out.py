"""Costs in which log q(x) is written out, as in a negative ELBO that somebody has written by hand."""

import warnings

import torch

from estimators.interface import Params, Problem, start
from estimators.noise import IID
from estimators.sampling import families
from estimators.sampling.unchecked import without_validation

__all__ = ["parameters_of_q"]

FEW = 6
"""Samples on which it is tried."""
ROUNDING = 1e-9
"""The part of the largest entry that is rounding in float64."""


def parameters_of_q(problem: Problem) -> tuple[str, ...]:
    """The names of the parameters of q, where they take part in the cost at fixed x by a multiple of log q(x) alone.

    Empty: they do not, or not as far as can be tried. The multiple may be the weight of the data, or that of a prior.
    """
    if problem.opaque or not problem.cost_depends_on_params:
        return ()
    key = (parameters_of_q.__name__,)
    if key not in problem.trials:
        with warnings.catch_warnings(action="ignore"), torch.enable_grad(), without_validation():
            try:
                problem.trials[key] = _tried(problem)
            except Exception:  # other refusals say what is wrong with it
                problem.trials[key] = ()
    return problem.trials[key]


def _tried(problem: Problem) -> tuple[str, ...]:
    made = problem.on_least_data.to("cpu", torch.float64)
    leaves = {name: value.double().requires_grad_() for name, value in start(problem.on_least_data).items()}
    q = made.distribution(leaves)
    x = families.values(q, families.noise(q, FEW, IID(0, dtype=torch.float64)))
    costs, densities = made.cost(x, leaves), families.log_prob(q, x)
    scores, slopes = ([_gradient(each[s].sum(), leaves) for s in range(FEW)] for each in (densities, costs))
    names = tuple(name for name in leaves if any(score[name].any() for score in scores))
    score, slope = (torch.stack([_joined(one, names) for one in each]) for each in (scores, slopes))
    weight = (slope * score).sum() / (score * score).sum()
    differs = (slope - weight * score).abs().max() > ROUNDING * slope.abs().max()
    return () if differs or weight == 0 else names


def _gradient(value: torch.Tensor, leaves: Params) -> Params:
    found = torch.autograd.grad(value, list(leaves.values()), retain_graph=True, materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


def _joined(gradient: Params, names: tuple[str, ...]) -> torch.Tensor:
    return torch.cat([gradient[name].flatten() for name in names])
