"""Exceptions as people read them."""

__all__ = ["reason"]


def reason(error: BaseException) -> str:
    """An exception in one line."""
    try:
        text = str(error)
    except Exception:  # an exception of a plug-in may fail to say what it is
        text = ""
    first_line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
