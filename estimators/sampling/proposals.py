"""Proposal distributions for importance sampling: relatives of a distribution, wider or shifted."""

from typing import Any

import torch.distributions as td

from estimators.sampling.family import Proposal, family_of, known_kind

__all__ = ["shifted", "shifted_loc", "widened", "widened_scale"]


def widened(q: td.Distribution, factor: float) -> td.Distribution:
    """q with its scale multiplied by a factor, or changed as its file says where it has no scale.

    ValueError: no such proposal is known for q.
    """
    if isinstance(q, td.Independent):
        return td.Independent(widened(q.base_dist, factor), q.reinterpreted_batch_ndims)
    return _relative(q, family_of(q).widened, "widened", factor)


def shifted(q: td.Distribution, deviations: float) -> td.Distribution:
    """q moved by a number of its scale parameters. ValueError: no such proposal is known for q."""
    if isinstance(q, td.Independent):
        return td.Independent(shifted(q.base_dist, deviations), q.reinterpreted_batch_ndims)
    return _relative(q, family_of(q).shifted, "shifted", deviations)


def _relative(q: td.Distribution, proposal: Proposal | None, kind: str, amount: float) -> td.Distribution:
    if proposal is None:
        raise ValueError(f"there is no {kind} proposal for {type(q).__name__}")
    return proposal(q, amount)


def widened_scale(q: Any, factor: float) -> td.Distribution:
    """The widened proposal of any q that is made of `loc` and `scale`."""
    return _kind(q)(q.loc, q.scale * factor)


def shifted_loc(q: Any, deviations: float) -> td.Distribution:
    """The shifted proposal of any q that is made of `loc` and `scale`."""
    return _kind(q)(q.loc + q.scale * deviations, q.scale)


def _kind(q: Any) -> Any:
    """The registered class of q: a subclass may be made of something else than `loc` and `scale`."""
    return known_kind(q)
