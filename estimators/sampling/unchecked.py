"""torch.distributions without argument checks."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributions import Distribution

__all__ = ["without_validation"]


@contextmanager
def without_validation() -> Iterator[None]:
    """Checks cost more than the sampling, stop compilation, and refuse x that has rounded to an edge."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)
