"""Blocks in which gradients are held together: with many parameters, those of all samples do not fit into memory."""

from collections.abc import Iterator

__all__ = ["AT_A_TIME", "blocks"]

AT_A_TIME = 2**24
"""Numbers that are held together."""


def blocks(count: int, entries: int) -> Iterator[slice]:
    """Slices of so many samples or replicates, each of which takes so many numbers."""
    size = max(AT_A_TIME // entries, 1)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
