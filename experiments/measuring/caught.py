"""Warnings of what is measured, for its reader."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collected_warnings"]

ABOUT_CODE = (DeprecationWarning, FutureWarning, PendingDeprecationWarning)
"""Warnings that say nothing of the numbers."""


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """The texts of the warnings that are raised meanwhile, each once; they are there when it ends."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for kind in ABOUT_CODE:
            warnings.simplefilter("ignore", kind)
        yield messages
    messages.extend(dict.fromkeys(str(warning.message) for warning in caught))
