"""Shapes are checked where they are new: among the first calls of a function in a test, if no test had such arguments.

A checked call takes several times as long as most functions do; with all of them checked, the tests took twice as long.
The import hook of jaxtyping decorates what it reads by the name that is replaced here: this module has to be imported
before `estimators`.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import is_dataclass
from functools import partial, wraps
from types import CodeType, FunctionType
from typing import Any

import jaxtyping
import torch
from torch import Tensor

__all__ = ["FIRST", "kind_of", "start_again"]

FIRST = 8
"""Calls of a function that are looked at in a test: the later ones of a loop have the same shapes."""
calls: Counter[CodeType] = Counter()
seen: set[Hashable] = set()
"""What was checked: the code of a function, since functions inside of functions are made anew each time, and the kinds
of its arguments."""
looking = False
"""While the arguments of a call are looked at, which calls functions itself."""
checked_always = jaxtyping.jaxtyped


def start_again() -> None:
    """For another test."""
    calls.clear()


def kind_of(value: Any) -> Hashable:
    """What the shapes of a result may depend on: shapes, and how an estimator or a problem was made."""
    if isinstance(value, Tensor):
        return value.shape, value.dtype
    if isinstance(value, dict):
        return tuple([(name, kind_of(part)) for name, part in value.items()])
    if isinstance(value, tuple | list):
        return tuple([kind_of(part) for part in value])
    if isinstance(value, int | str | None):
        return value
    try:
        return type(value), getattr(value, "spec", None)
    except Exception:  # what a test has made is not always whole
        return type(value)


def _limited(made: Any, *, typechecker: Callable, known: int = 0) -> Any:
    """`known`: the first arguments that say nothing: an object that is being made has no spec yet."""
    if isinstance(made, type):
        if is_dataclass(made):
            made.__init__ = _limited(made.__init__, typechecker=typechecker, known=1)
        return made
    if not isinstance(made, FunctionType):
        return checked_always(made, typechecker=typechecker)
    code = made.__code__
    checked: Callable | None = None

    def limited(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        global looking
        if looking or calls[code] >= FIRST or torch.compiler.is_compiling():
            return made(*args, **kwargs)
        calls[code] += 1
        looking = True
        try:
            called = code, kind_of(args[known:]), kind_of(kwargs)
        finally:
            looking = False
        if called in seen:
            return made(*args, **kwargs)
        checked = checked or checked_always(made, typechecker=typechecker)  # which takes longer than most tests
        result = checked(*args, **kwargs)
        seen.add(called)
        return result

    # The place of an error is the innermost line in a file of the user's own, and these are not the user's.
    limited.__code__ = limited.__code__.replace(co_filename="<checked calls>")
    return wraps(made)(limited)


def _jaxtyped(*, typechecker: Callable) -> Callable[[Any], Any]:
    return partial(_limited, typechecker=typechecker)


jaxtyping.jaxtyped = _jaxtyped  # pyright: ignore[reportAttributeAccessIssue]
