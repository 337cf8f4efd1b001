"""The word on a terminal while libraries are loaded, which takes seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["starting"]


@contextmanager
def starting() -> Iterator[None]:
    """Say on a terminal that the command is starting, until it has; nothing where stderr is none."""
    stream = sys.stderr
    if stream is None or not stream.isatty():
        yield
        return
    stream.write("starting …")
    stream.flush()
    try:
        yield
    finally:
        stream.write("\r\x1b[K")
        stream.flush()
