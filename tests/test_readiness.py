"""Who is ready in time, where fits take more than an even share of the budget."""

from types import SimpleNamespace
from typing import Any

import pytest
from measurements import Custom

from experiments.measuring import purse
from experiments.measuring.purse import Purse
from experiments.ranking.entries import Entry
from experiments.ranking.readiness import Readiness

LEARNERS = [Entry("score-function", num_samples) for num_samples in range(2, 10)]


@pytest.mark.parametrize(("fit", "expected"), [(0.02, 8), (0.15, 2), (10.0, 0)])
def test_where_all_fits_are_dear_the_first_few_are_ready(
    monkeypatch: pytest.MonkeyPatch, fit: float, expected: int
) -> None:
    """Of eight with a second: the even share is 0.125 s."""
    clock = [0.0]

    def prepare(self: Readiness, entry: Entry, own: Purse, found: dict[Entry, Any]) -> bool:
        taken = min(fit, own.seconds_left)
        clock[0] += taken
        return taken == fit and found.setdefault(entry, entry) is entry

    monkeypatch.setattr(purse, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(Readiness, "_prepare", prepare)
    readiness = Readiness(Custom(), {}, lambda what: None)
    ready = readiness.fitted(LEARNERS, Purse(1.0), first=0.25)
    assert list(ready) == LEARNERS[:expected] and clock[0] <= 1.0
    assert list(readiness.left_out) == LEARNERS[expected:]
