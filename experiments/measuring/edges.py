"""Whether a dtype holds the samples of a problem: from where on it does not, in a sentence.

A sample of a continuous x may round to the edge of its support, to 0 or to 1, or leave the range of the dtype. Scores
are right there all the same, and a cost that no longer changes there is as well: a cost such as log x is not, and all
mechanisms agree on its wrong expectation.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from estimators.interface.problem import constant_cost
from estimators.noise import IID
from estimators.programs.joint import Joint
from estimators.sampling import families
from estimators.sampling.events import as_vectors
from estimators.sampling.unchecked import without_validation
from experiments.gradients.fingerprint import fingerprint
from experiments.gradients.workload import Workload
from experiments.terminal.numbers import percent

__all__ = ["Lost", "lost_samples"]

SAMPLES = 2**13
LEAST = 3
"""Samples of the same extreme value, of a continuous x, that are no coincidence."""
FAR = 0.999
"""The part of the largest number beyond which x is as good as infinite: some samples are clamped there."""
MATERIAL = 1e-3
"""The mean square of the change of the cost, relative to its variance, from which on it matters: of a cost that tends
to a value as a power of the distance, that is what lies behind the edge, in standard deviations."""

_found: dict[tuple[type, str], "Lost"] = {}


class Lost(NamedTuple):
    """Sentences that say what of x the dtype does not hold; '': nothing that matters."""

    by_cost: str
    """Though the cost depends on it: every estimate is wrong."""
    by_score: str
    """Though the density of x depends on it: every score is wrong."""


def lost_samples(workload: Workload) -> Lost:
    """What the dtype of a workload does not hold of its x. It is found once a process."""
    key = (type(workload.problem), f"{workload.dtype} {workload.device} {fingerprint(workload)}")
    if key not in _found:
        with torch.no_grad(), without_validation():
            _found[key] = _lost(workload)
    return _found[key]


def _lost(workload: Workload) -> Lost:
    replicates = max(1, min(workload.chunk, SAMPLES // workload.num_samples))
    params, source = workload.params(replicates), IID(0, workload.device, workload.dtype)
    q = workload.problem.distribution(params)
    continuous = _continuous(q).to(workload.device)
    if not continuous.any():
        return Lost("", "")
    drawn = families.drawn(q, families.noise(q, workload.num_samples, source))
    edge, inner = (each.reshape(drawn.x.shape) for each in _edges(drawn.x.flatten(0, 1)))
    edge = edge & continuous
    if not edge.any():
        return Lost("", "")
    moved = torch.where(edge, inner, drawn.x)

    def told(of: Callable[[Tensor], Tensor], what: str) -> str:
        return _told(drawn.x, edge, of(drawn.x).double(), of(moved).double(), what)

    known = len(drawn.parts) > 1  # the score is taken at what x was made of
    return Lost(
        told(lambda x: constant_cost(workload.problem, x, params), "cost"),
        "" if known else told(lambda x: families.log_prob(q, x), "density"),
    )


def _told(x: Tensor, edge: Tensor, at_edge: Tensor, inside: Tensor, what: str) -> str:
    finite = inside[inside.isfinite()]
    variance = ((finite - finite.mean()) ** 2).mean()
    change = (at_edge - inside) ** 2
    if bool(change.mean() <= MATERIAL * variance):
        return ""
    most = change.nan_to_num(nan=torch.inf).flatten().argmax()
    x, edge = (as_vectors(each, 2).flatten(0, 1) for each in (x, edge))
    end = x[most][edge[most]][0]
    share = percent(float((edge & (x == end)).any(-1).double().mean()))
    name, largest = str(x.dtype).removeprefix("torch."), torch.finfo(x.dtype).max
    where = f"are beyond {largest:.2g}" if end.abs() > FAR * largest else f"have rounded to {float(end):.7g}"
    return f"{share} of the samples {where} in {name}, where the {what} still changes: {_advice(x.dtype)}"


def _advice(dtype: torch.dtype) -> str:
    if dtype == torch.float64:
        return "no dtype holds this problem, unless x is something that does not round, such as its logarithm"
    return "measure in float64 (--dtype float64)"


def _edges(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Which entries of samples `[n, *E]` have rounded to an edge, and all entries, those moved away from the edge.

    By half of the way to a typical value in the logarithm of the distance, which is never less than a last bit.
    """
    limits = torch.finfo(flat.dtype)
    beyond = edge = flat.abs() > FAR * limits.max
    inner = torch.where(beyond, flat.sign() * limits.max**0.5, flat)
    kept = torch.where(beyond, torch.nan, flat)
    low, high = kept.nan_to_num(nan=limits.max).amin(0), kept.nan_to_num(nan=-limits.max).amax(0)
    for end, inwards in ((low, 1.0), (high, -1.0)):
        here = (flat == end) & ((flat == end).sum(0) >= LEAST)
        nearest = (limits.eps * end.abs()).clamp(min=limits.tiny)
        typical = torch.where(beyond, torch.nan, flat - end).abs().nanmean(0)
        inner = torch.where(here, end + inwards * nearest.sqrt() * typical.sqrt(), inner)
        edge = edge | here
    return edge, inner


def _continuous(q: td.Distribution) -> Tensor:
    """Which numbers of x are continuous, in its last dimensions: those of the variables of a program one by one."""
    inner = families.unwrap(q)
    each = [(v.q, math.prod(v.shapes[0])) for v in inner.variables] if isinstance(inner, Joint) else [(q, 1)]
    return torch.cat([torch.full((numbers,), _is_continuous(of)) for of, numbers in each])


def _is_continuous(q: td.Distribution) -> bool:
    """Whether q says so."""
    try:
        support: Any = families.unwrap(q).support
    except NotImplementedError:
        return False
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return not (support is None or constraints.is_dependent(support) or support.is_discrete)
