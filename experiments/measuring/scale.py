"""How large costs are, and the terms that a gradient is made of: what estimates alone do not tell."""

import torch

from estimators.interface import Unsupported
from estimators.sampling import families
from estimators.sampling.unchecked import without_validation
from estimators.score_function import ScoreFunction
from experiments.gradients.float64 import double, gradient_in_float64
from experiments.gradients.workload import Workload, flatten

__all__ = ["cost_varies", "size_of_terms"]

FEW_REPLICATES = 1024


@torch.no_grad()
def cost_varies(workload: Workload, replicates: int) -> bool:
    """Whether the costs of so many replicates of the first chunk differ: if not, estimates of 0 may miss an event."""
    with without_validation():
        params = workload.params(workload.chunk)
        q = workload.problem.distribution(params)
        x = families.sample(q, families.noise(q, workload.num_samples, workload.source("chunk", 0)))
        costs = workload.problem.cost(x, params)[:, :replicates]
    rounding = 64 * torch.finfo(costs.dtype).eps * costs.abs().amax()
    return bool(costs.amax() - costs.amin() > rounding)


def size_of_terms(workload: Workload) -> float:
    """The largest entry of E|f ∇ log q|: the terms of which an enumeration or a quadrature makes a gradient.

    They may cancel: 64 eps of this is the error of an exact gradient. 0 where there is no such score.
    """
    if ScoreFunction().unsupported(workload.problem, 1):
        return 0.0
    params = workload.params(min(workload.chunk, FEW_REPLICATES))
    try:
        with without_validation():
            noise = families.noise(workload.problem.distribution(params), 1, workload.source("chunk", 0))
            terms = gradient_in_float64(workload.problem, ScoreFunction(), double(params), double(noise))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError, Unsupported):  # a component without a density, or for one dtype
        return 0.0
    return float(flatten(terms).abs().mean(0).nan_to_num(0.0, 0.0, 0.0).max())
