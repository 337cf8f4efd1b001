"""Text of strangers, which is shown on terminals."""

import io
import re
import tokenize
from typing import Any

__all__ = ["is_plain", "is_readable", "plain", "shown"]

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that move a terminal's cursor or turn its text around; a line may end."""
MOST = 300
"""Characters of a text that an error repeats."""


def is_plain(text: str) -> bool:
    """Whether nothing in it is an order to a terminal."""
    return not CONTROLS.search(text)


def is_readable(source: bytes) -> bool:
    """Whether Python reads the code that a person sees: UTF-8, whatever it says of itself, and nothing hidden in it."""
    try:
        coding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return coding == "utf-8" and is_plain(source.decode().replace("\r\n", "\n"))
    except (SyntaxError, UnicodeDecodeError):
        return False


def plain(text: str) -> str:
    """The text with a mark in place of what is an order to a terminal."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(text: Any) -> str:
    """What an error repeats of a text."""
    found = plain(str(text))
    return found if len(found) <= MOST else f"{found[:MOST]} …"
