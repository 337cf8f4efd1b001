"""Words one after another, as a sentence has them."""

from collections.abc import Iterable

__all__ = ["listed"]


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; '' of none."""
    *others, last = [*words] or [""]
    return f"{', '.join(others)} and {last}" if others else last
