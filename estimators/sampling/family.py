"""All that is known of one distribution, and the function that makes it known."""

import sys
from collections.abc import Callable, Iterable, Mapping
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
    "is_binary",
    "is_circular",
    "is_known",
    "is_one_hot",
    "is_registered",
    "known_kind",
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
    conditionals: Callable[[Any], list[td.Distribution]] | None = None
    """The distributions of several variables, each given those before it in one sample, of a q that is all of them."""
    circular: bool = False
    """x is an angle: the `mean` of q is a direction, and functions of x on a line jump where the circle closes."""

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
    """Make known what the decorated function returns, for this type and for subclasses that keep its law.

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


SAMPLERS = ("sample", "rsample")
DENSITIES = ("log_prob", "cdf", "icdf")


def known_kind(q: td.Distribution) -> type[td.Distribution] | None:
    """The registered class that says what the law of q is; None: there is none.

    It is q's own class, or the next above it that is registered, if the classes below that one change neither how it
    samples nor its density. An `rsample` changes nothing where there was none: `sample` does not call it.
    """
    kind = type(unwrap(q))
    if kind in _families:
        return kind
    base: Any = next((above for above in kind.__mro__ if above in _families), None)
    if base is None:
        return None
    samplers = SAMPLERS if base.has_rsample else ("sample",)
    return base if _keeps(kind, base, (*samplers, *DENSITIES, *base.arg_constraints)) else None


def _keeps(kind: type, base: type, names: Iterable[str]) -> bool:
    """Whether a subclass and all classes between it and its base leave the attributes of these names as they are."""
    between = kind.__mro__[: kind.__mro__.index(base)]
    return not any(name in vars(step) for step in between for name in names)


def is_registered(kind: type[td.Distribution]) -> bool:
    """Whether a class has a family of its own."""
    return kind in _families


def is_known(q: td.Distribution) -> bool:
    """Whether the law of q is that of a registered family."""
    return known_kind(q) is not None


def family_of(q: td.Distribution) -> Family:
    """The family of q's class, or of the one that it derives from where it has the same law.

    Where only its density is another function, q is sampled as a base class whose forms are read off q.
    """
    kind = type(unwrap(q))
    if kind in _families:
        return _families[kind]
    base = known_kind(q)
    return _as_base(kind) if base is None else _families[base]


def _as_base(kind: type) -> Family:
    for base in kind.__mro__:
        if base in _families and callable(_families[base].forms) and _keeps(kind, base, SAMPLERS):
            return Family(_families[base].forms)
    return UNKNOWN


def states_of(q: td.Distribution) -> States | None:
    """The states of a discrete distribution; None: there are none, or infinitely many."""
    return family_of(q).states


def is_binary(q: td.Distribution) -> bool:
    """Whether each variable of q is 0 or 1, with `logits` and `probs`: a Bernoulli, and no subclass of another law."""
    return isinstance(family_of(q).states, Binary)


def is_one_hot(q: td.Distribution) -> bool:
    """Whether each variable of q is a one-hot vector, with the `logits` and `probs` of its entries."""
    return isinstance(states_of(q), OneHot)


def is_circular(q: td.Distribution) -> bool:
    """Whether x is an angle."""
    return any(_families[kind].circular for kind in type(unwrap(q)).__mro__ if kind in _families)
