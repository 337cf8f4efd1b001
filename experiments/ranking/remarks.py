"""Warnings of several estimators, each told once."""

import re
from collections.abc import Iterable

__all__ = ["NUMBER", "grouped", "lines"]

NUMBER = re.compile(r"\d[\d,.]*(?:e[+-]?\d+)?(?: %)?")
GAP = "…"

Pairs = Iterable[tuple[str, str]]
"""Who carries a warning, and the warning."""


def grouped(pairs: Pairs) -> dict[str, list[tuple[str, str]]]:
    """Those that differ in their numbers alone together."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, warning in pairs:
        groups.setdefault(NUMBER.sub(GAP, warning), []).append((name, warning))
    return groups


def lines(pairs: Pairs, *, short: bool = False) -> list[str]:
    """A line for each warning: who carries it, the first of them by name; with `short` without its explanation."""
    found = []
    for pattern, group in grouped(pairs).items():
        names, texts = list(dict.fromkeys(name for name, _ in group)), {warning for _, warning in group}
        who = names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        text = texts.pop() if len(texts) == 1 else _spanned(pattern, [warning for _, warning in group])
        found.append(f"{who}: {text.partition(': ')[0] if short else text}")
    return found


def _spanned(pattern: str, texts: list[str]) -> str:
    """A text for several that differ in their numbers: from the least to the largest of each."""
    parts = pattern.split(GAP)
    columns = zip(*(NUMBER.findall(text) for text in texts), strict=True)
    return "".join(f"{part}{_span(numbers)}" for part, numbers in zip(parts, columns, strict=False)) + parts[-1]


def _span(numbers: tuple[str, ...]) -> str:
    least, most = min(numbers, key=_value), max(numbers, key=_value)
    return least if least == most else f"{least.rstrip('.,')} to {most}"


def _value(number: str) -> float:
    return float(number.removesuffix(" %").rstrip(".,").replace(",", ""))
