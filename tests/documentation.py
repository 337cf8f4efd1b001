"""The pages that people read, and the blocks of code in them."""

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Block", "blocks"]

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r'^( *)```(\w*)(?: title="(.+?)")?\n(.*?)^\1```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    language: str
    title: str
    """The file that the page says it is; '' where it is to be run."""
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page, by its path in the repository."""
    return [Block(found[2], found[3] or "", found[4]) for found in FENCE.finditer((ROOT / page).read_text("utf-8"))]
