"""Pyro's distributions as torch's own: Pyro derives each of its classes from one of torch, and keeps its law."""

import copy
from typing import Any

import pyro.distributions as dist
from pyro.distributions import torch as of_pyro
from torch.distributions import Distribution

from estimators.sampling.families import unwrap

__all__ = ["is_constant", "plain"]


def plain(q: Distribution) -> Distribution:
    """The same distribution of a class of torch, without masks, which change its density but not what it draws."""
    if isinstance(q, dist.MaskedDistribution):
        return plain(q.base_dist)
    copied = copy.copy(q)
    if type(q).__module__ == of_pyro.__name__:
        copied.__class__ = next(kind for kind in type(q).__mro__ if kind.__module__.startswith("torch."))
    parts: dict[str, Any] = vars(copied)
    parts.update({name: plain(part) for name, part in parts.items() if isinstance(part, Distribution)})
    return copied


def is_constant(q: Distribution) -> bool:
    """Whether it has one value: a Delta draws nothing."""
    return isinstance(unwrap(plain(q)), dist.Delta)
