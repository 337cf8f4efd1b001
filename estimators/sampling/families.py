"""Noise, samples and densities of any distribution; `Independent` is looked through.

What is known of a distribution stands in its file in `distributions/`; others are drawn by their own `rsample` or
`sample`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import torch.distributions as td
from torch import Tensor

from estimators.noise import NoiseSource
from estimators.sampling.events import event_sum
from estimators.sampling.family import family_of, is_registered
from estimators.sampling.own_sampler import path
from estimators.sampling.transforms import Forms, Transform, unwrap

__all__ = [
    "Drawn",
    "drawn",
    "find",
    "find_path",
    "forms",
    "log_prob",
    "noise",
    "path_form",
    "probability",
    "sample",
    "unwrap",
    "values",
]


def forms(q: td.Distribution) -> Forms:
    """The forms of a distribution by name, the default first; what a subclass adds comes last."""
    base = unwrap(q)
    given = family_of(base).forms
    found = given if isinstance(given, dict) else given(base)
    return found if is_registered(type(base)) else found | path(base)


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


def find_path(q: td.Distribution, form: str = "auto") -> Transform:
    """The transform of a form, that of `path_form` by default. ValueError: the distribution does not have it."""
    if form != "auto":
        return find(q, form)
    each = list(forms(q).values())
    return next((one for one in each if one.differentiable or one.straight_through), each[0])


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
    """log q(x): by the family's own density where it has one, whose derivative is accurate at any parameters.

    x may have rounded to the edge of its support, where neither is known: `drawn` keeps what x was made of.
    """
    density = family_of(q).log_prob
    return q.log_prob(x) if density is None else _together(q, density(unwrap(q), x))


def _together(q: td.Distribution, each: Tensor) -> Tensor:
    """The log-density of q, of that of the distribution inside any `Independent`."""
    together = len(q.event_shape) - len(unwrap(q).event_shape)
    return event_sum(each, each.ndim - together)


@final
@dataclass(frozen=True)
class Drawn:
    """Samples together with what they were made of, from which their density follows where x has rounded."""

    parts: tuple[Tensor, ...]
    """x `[S, R, *E]`, and what it is made of, each `[S, R, *]`; all detached."""
    form: Transform | None = None
    """What made them; None: x alone is known."""

    @property
    def x(self) -> Tensor:
        return self.parts[0]

    def log_prob(self, q: td.Distribution, x: Tensor | None = None) -> Tensor:
        """log q(x) `[S, R]`, but for terms without parameters, with its derivative at fixed x.

        q is what x was drawn from, or a relative of the same family. The terms left out are the same in all of these.
        `x` are the same samples as functions of the parameters, where they are not fixed.
        """
        each = None if self.form is None else self.form.log_density(unwrap(q), *self.parts)
        if each is None:
            return log_prob(q, self.x if x is None else x)
        fixed = _together(q, each)
        return fixed if x is None else fixed + log_prob(q, x) - log_prob(q, self.x)

    def log_density(self, q: td.Distribution) -> Tensor:
        """log q(x) at x as it has rounded, with the derivative of `log_prob`."""
        found = log_prob(q, self.x)
        if self.form is None or len(self.parts) == 1:
            return found
        exact = self.log_prob(q)
        return found.detach() + (exact - exact.detach())

    def map(self, change: Callable[..., Tensor], *others: "Drawn") -> "Drawn":
        """The same with each tensor changed, together with its counterpart in others of the same form."""
        return replace(self, parts=tuple(map(change, self.parts, *(other.parts for other in others))))


def drawn(q: td.Distribution, noise: Tensor, form: str = "auto") -> Drawn:
    """`values`, with a density that does not suffer from their rounding."""
    found = find(q, form)
    return Drawn(found.drawn(unwrap(q), noise), found)
