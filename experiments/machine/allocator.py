"""How the C library treats memory that a process frees."""

import ctypes
import sys
from functools import cache

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_THRESHOLD = 32 * 2**20
"""glibc's own limit on 64-bit machines."""


@cache
def keep_freed_memory() -> None:
    """Make glibc keep what is freed, for the next temporary of the same size; elsewhere nothing happens.

    By default every temporary above 128 KiB is mapped anew, and the page faults cost as much as the arithmetic: chunks
    run 1.2 to 1.4 times faster without them.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, 2**30)
