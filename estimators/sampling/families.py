"""Noise, samples and densities of any distribution; `Independent` is looked through.

What is known of a distribution stands in its file in `distributions/`; others are drawn by their own `rsample` or
`sample`.
"""

from typing import Any

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.events import event_sum
from estimators.sampling.family import family_of, known_kind
from estimators.sampling.own_sampler import path
from estimators.sampling.transforms import Forms, Transform, unwrap

__all__ = ["find", "forms", "log_prob", "noise", "path_form", "probability", "sample", "unwrap", "values"]


def forms(q: td.Distribution) -> Forms:
    """The forms of a distribution by name, the default first; what a subclass adds comes last."""
    base = unwrap(q)
    given = family_of(base).forms
    found = given if isinstance(given, dict) else given(base)
    return found if known_kind(base) is type(base) else found | path(base)


def path_form(q: td.Distribution) -> str:
    """The form that pathwise derivatives take: the first that has any, or else the default."""
    able = (name for name, form in forms(q).items() if form.differentiable or form.straight_through)
    return next(able, "auto")


def find(q: td.Distribution, form: str = "auto") -> Transform:
    """The transform of a form. ValueError: the distribution does not have it."""
    available = forms(q)
    if form == "auto":
        return next(iter(available.values()))
    if form not in available:
        raise ValueError(f"{type(unwrap(q)).__name__} has no form '{form}'; it has {', '.join(available)}")
    return available[form]


def noise(q: td.Distribution, num_samples: int, source: NoiseSource, form: str = "auto") -> Tensor:
    """Noise for samples `[S, R, *E]` of a distribution with batch `[R]` and event `E`."""
    return find(q, form).noise(unwrap(q), num_samples, source)


def sample(q: td.Distribution, noise: Tensor, form: str = "auto") -> Tensor:
    """The samples `[S, R, *E]` that the noise stands for, differentiable in q's parameters where the form is."""
    return find(q, form).sample(unwrap(q), noise)


def values(q: td.Distribution, noise: Tensor, form: str = "auto") -> Tensor:
    """`sample`, detached and without the work for its derivatives."""
    return find(q, form).values(unwrap(q), noise)


def probability(q: td.Distribution, x: Tensor) -> Tensor:
    """q(x) of discrete x, by its logarithm unless a probability is exactly 0 or 1."""
    inner: Any = unwrap(q)
    states = family_of(q).states
    if states is None or not ((inner.probs == 0) | (inner.probs == 1)).any():
        return log_prob(q, x).exp()
    each = states.probability(inner, x)
    together = len(q.event_shape) - len(inner.event_shape)
    return each.flatten(-together).prod(-1) if together else each


def log_prob(q: td.Distribution, x: Tensor) -> Tensor:
    """log q(x): by the family's own density where it has one, whose derivative is accurate at any parameters."""
    density = family_of(q).log_prob
    if density is None:
        return q.log_prob(x)
    inner = unwrap(q)
    each = density(inner, x)
    together = len(q.event_shape) - len(inner.event_shape)
    return event_sum(each, each.ndim - together)
