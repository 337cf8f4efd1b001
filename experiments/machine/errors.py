"""Exceptions as people read them."""

from estimators.registry import message, raised_at

__all__ = ["reason"]


def reason(error: BaseException) -> str:
    """An exception in one line, with the place in a file of the user's own where it was raised."""
    text = message(error)
    return f"{type(error).__name__}{f': {text}' if text else ''}{raised_at(error)}"
