"""All that is known of one distribution, and the function that makes it known."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import torch.distributions as td
from torch import Tensor

from estimators.sampling.own_sampler import own_forms
from estimators.sampling.relaxation import Relaxation
from estimators.sampling.states import Binary, OneHot, States
from estimators.sampling.transforms import Forms, unwrap
from estimators.sampling.weak_derivatives import WeakDerivative

__all__ = [
    "Family",
    "family_of",
    "forget_families",
    "inherited",
    "is_binary",
    "is_circular",
    "is_known",
    "is_one_hot",
    "moves_its_support",
    "register_family",
    "registered_families",
    "states_of",
]

Proposal = Callable[[Any, float], td.Distribution]


@final
@dataclass(frozen=True)
class Family:
    """All that is known of one distribution. Every function gets the distribution inside any `Independent`."""

    forms: Forms | Callable[[Any], Forms]
    """The ways to sample it by name, the default first; a function of q where they depend on what q is made of."""
    log_prob: Callable[[Any, Tensor], Tensor] | None = None
    """A log-density `[S, R, *B]` to be used instead of torch's."""
    widened: Proposal | None = None
    """q widened by a factor: with its scale multiplied, or with another parameter changed where it has none."""
    shifted: Proposal | None = None
    """q moved by a number of its scales."""
    weak_derivatives: Mapping[str, WeakDerivative] = field(default_factory=dict)
    """The weak derivative in each parameter of q, by the name that it has as an attribute."""
    relaxation: Relaxation | None = None
    """A continuous relaxation, of a discrete distribution."""
    states: States | None = None
    """The states of a discrete distribution that has finitely many."""
    circular: bool = False
    """x is an angle: the `mean` of q is a direction, and functions of x on a line jump where the circle closes."""
    moving_support: bool = False
    """The support depends on the parameters, so that the score does not have mean zero."""

    def __post_init__(self) -> None:
        if not self.forms:
            raise ValueError("a family needs at least one form")


UNKNOWN = Family(own_forms)
"""The family of a distribution that is not registered: its own sampler."""

_families: dict[type[td.Distribution], Family] = {}
_origins: dict[type[td.Distribution], tuple[str, str]] = {}
"""The file and the function that registered each class: a plug-in that is loaded again may replace its own."""

Make = Callable[[], Family]


def register_family(kind: type) -> Callable[[Make], Make]:
    """Make known what the decorated function returns, for distributions of exactly this type.

        @register_family(MyDistribution)
        def my_distribution() -> Family:
            return Family(forms={"inverse-cdf": InverseCDF(standard, place)})

    TypeError: the class is none of torch's distributions. ValueError: it is registered already, elsewhere.
    """
    if not issubclass(kind, td.Distribution):
        raise TypeError(f"a family is that of a subclass of torch's Distribution, which {kind.__name__} is not")

    def decorate(make: Make) -> Make:
        origin = (_file(make), make.__qualname__)
        if _origins.get(kind, origin) != origin:
            raise ValueError(
                f"the family of {kind.__name__} is registered already, by {_origins[kind][1]} in {_origins[kind][0]}; "
                "a distribution has one"
            )
        _families[kind], _origins[kind] = make(), origin
        return make

    return decorate


def _file(make: Make) -> str:
    return getattr(sys.modules.get(make.__module__), "__file__", None) or make.__module__


def forget_families(file: str) -> None:
    """Forget what a file registered, as when a plug-in is unloaded."""
    for kind in [kind for kind, (source, _) in _origins.items() if source == file]:
        del _families[kind], _origins[kind]


def registered_families() -> Mapping[type[td.Distribution], Family]:
    """All families by the class of distributions."""
    return dict(_families)


def is_known(q: td.Distribution) -> bool:
    """Whether the family of q is registered."""
    return type(unwrap(q)) in _families


def family_of(q: td.Distribution) -> Family:
    """The family of q's own class: a subclass may sample otherwise, so that nothing is inherited here."""
    return _families.get(type(unwrap(q)), UNKNOWN)


def inherited(q: td.Distribution) -> list[Family]:
    """The families of q's class and of the classes that it derives from, the nearest first."""
    return [_families[kind] for kind in type(unwrap(q)).__mro__ if kind in _families]


def states_of(q: td.Distribution) -> States | None:
    """The states of a discrete distribution, which a subclass inherits; None: there are none, or infinitely many."""
    return next((family.states for family in inherited(q) if family.states is not None), None)


def is_binary(q: td.Distribution) -> bool:
    """Whether each variable of q is 0 or 1, with `logits` and `probs`: torch's Bernoulli itself, no subclass."""
    return isinstance(family_of(q).states, Binary)


def is_one_hot(q: td.Distribution) -> bool:
    """Whether each variable of q is a one-hot vector, with the `logits` and `probs` of its entries."""
    return isinstance(states_of(q), OneHot)


def is_circular(q: td.Distribution) -> bool:
    """Whether x is an angle."""
    return any(family.circular for family in inherited(q))


def moves_its_support(q: td.Distribution) -> bool:
    """Whether the support of q depends on its parameters."""
    return any(family.moving_support for family in inherited(q))
