"""Shapes are checked in the first calls of each function in a test: the later ones of a loop have the same shapes.

A checked call takes several times as long as most functions do; with all of them checked, the tests took half as long
again. The import hook of jaxtyping decorates what it reads by the name that is replaced here: this module has to be
imported before `estimators`.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial, wraps
from types import CodeType, FunctionType
from typing import Any

import jaxtyping

__all__ = ["FIRST", "start_again"]

FIRST = 20
"""Calls of a function that a test has checked: more than there are kinds of problem that a test goes through."""
calls: Counter[CodeType] = Counter()
"""By the code, since functions inside of functions are made anew each time, and would keep what they refer to."""
checked_always = jaxtyping.jaxtyped


def start_again() -> None:
    """For another test."""
    calls.clear()


def _limited(made: Any, *, typechecker: Callable) -> Any:
    if not isinstance(made, FunctionType):  # a class, of which the constructor is checked
        return checked_always(made, typechecker=typechecker)
    code = made.__code__
    if calls[code] >= FIRST:
        return made
    checked: Callable | None = None

    def limited(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        if calls[code] >= FIRST:
            return made(*args, **kwargs)
        calls[code] += 1
        checked = checked or checked_always(made, typechecker=typechecker)  # which takes longer than most tests
        return checked(*args, **kwargs)

    # The place of an error is the innermost line in a file of the user's own, and these are not the user's.
    limited.__code__ = limited.__code__.replace(co_filename="<checked calls>")
    return wraps(made)(limited)


def _jaxtyped(*, typechecker: Callable) -> Callable[[Any], Any]:
    return partial(_limited, typechecker=typechecker)


jaxtyping.jaxtyped = _jaxtyped  # pyright: ignore[reportAttributeAccessIssue]
