"""The axes of an event, of which one number as x has none: torch's reductions over no axes are over all of them."""

from torch import Tensor

__all__ = ["as_vectors", "beside", "event_sum"]


def event_sum(value: Tensor, leading: int) -> Tensor:
    """The sum over all axes but the first `leading` ones; without others the value itself."""
    return value.sum(tuple(range(leading, value.ndim))) if value.ndim > leading else value


def as_vectors(value: Tensor, leading: int) -> Tensor:
    """All axes but the first `leading` ones as one: a number becomes a vector of one entry."""
    return value.flatten(leading) if value.ndim > leading else value.unsqueeze(-1)


def beside(value: Tensor, like: Tensor) -> Tensor:
    """The value with an axis of length 1 for each axis that `like` has beyond its own."""
    return value.reshape(*value.shape, *[1] * (like.ndim - value.ndim))
