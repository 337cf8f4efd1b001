"""Shapes are checked in the first calls of each function in a test: the later ones of a loop have the same shapes.

A checked call takes several times as long as most functions do; with all of them checked, the tests took half as long
again. The import hook of jaxtyping decorates what it reads by the name that is replaced here: this module has to be
imported before `estimators`.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial, wraps
from types import FunctionType
from typing import Any

import jaxtyping

__all__ = ["FIRST", "start_again"]

FIRST = 20
"""Calls of a function that a test has checked: more than there are kinds of problem that a test goes through."""
calls: Counter[Callable] = Counter()
checked_always = jaxtyping.jaxtyped


def start_again() -> None:
    """For another test."""
    calls.clear()


def _limited(made: Any, *, typechecker: Callable) -> Any:
    checked = checked_always(made, typechecker=typechecker)
    if not isinstance(made, FunctionType):  # a class, of which the constructor is checked
        return checked

    @wraps(made)
    def limited(*args: Any, **kwargs: Any) -> Any:
        if calls[made] >= FIRST:
            return made(*args, **kwargs)
        calls[made] += 1
        return checked(*args, **kwargs)

    # The place of an error is the innermost line in a file of the user's own, and these are not the user's.
    function: Any = limited
    function.__code__ = function.__code__.replace(co_filename="<checked calls>")
    return function


def _jaxtyped(*, typechecker: Callable) -> Callable[[Any], Any]:
    return partial(_limited, typechecker=typechecker)


jaxtyping.jaxtyped = _jaxtyped  # pyright: ignore[reportAttributeAccessIssue]
