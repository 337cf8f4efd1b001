"""How far contestants get together, and their times, taken in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.measuring.purse import Purse
from experiments.measuring.stop import MAX_REPLICATES
from experiments.ranking.contestant import Contestant
from experiments.ranking.entries import Entry
from experiments.timing.rounds import BLOCK_SECONDS, MOST_CALLS, ROUNDS, Timed, Timing, time_gradients

__all__ = ["affordable", "at_the_pace_of", "take_times"]

FEWEST_ROUNDS = 3
"""Fewer than that say little of how much times vary."""


def affordable(contestants: Sequence[Contestant], purse: Purse) -> int:
    """The number of replicates that all of them can reach together with what is in a purse."""
    by_seconds = _reached([(one.sampling.replicates, one.pace) for one in contestants], purse.seconds_left)
    prices = [(one.sampling.replicates, float(one.evaluations)) for one in contestants]
    return min(by_seconds, _reached(prices, purse.evaluations_left), MAX_REPLICATES)


def _reached(contestants: Sequence[tuple[int, float]], left: float) -> int:
    """Those that are behind catch up first; from then on all go on together. By replicates and price of one."""
    (reached, price), *more = sorted(contestants)
    for ahead, other in more:
        step = (ahead - reached) * price
        if step >= left:
            break
        left -= step
        reached, price = ahead, price + other
    return int(min(reached + left / max(price, 1e-12), float(MAX_REPLICATES))) + 1


def take_times(field: Mapping[Entry, Contestant], purse: Purse, seed: int) -> None:
    """More rounds of timing, all in turn, as many and as long as a purse allows: none where that is less than three."""
    contestants = list(field.values())
    seconds = purse.seconds_left / max(len(contestants) * ROUNDS, 1)
    block = min(BLOCK_SECONDS, seconds)
    calls = [max(1, min(MOST_CALLS, round(block / one.price.one))) for one in contestants]
    once = [count + (count > 1) for count in calls]  # a block begins with a call that is not timed
    round_seconds = sum(count * one.price.one for count, one in zip(once, contestants, strict=True))
    round_evaluations = sum(count * one.evaluations for count, one in zip(once, contestants, strict=True))
    able = min(purse.seconds_left / max(round_seconds, 1e-12), purse.evaluations_left / max(round_evaluations, 1))
    rounds = min(ROUNDS, int(able))
    if not contestants or rounds < FEWEST_ROUNDS:
        return
    timed = [Timed.in_calls(one.workload, count) for one, count in zip(contestants, calls, strict=True)]
    found = time_gradients(timed, rounds, seed)
    purse.pay(rounds * round_evaluations)
    before = [one.measurement.timing for one in contestants]
    joined = found if seed == 0 else at_the_pace_of(before, found)
    for one, timing in zip(contestants, joined, strict=True):
        one.told = replace(one.measurement, timing=timing)


def at_the_pace_of(before: Sequence[Timing | None], after: Sequence[Timing]) -> list[Timing]:
    """All rounds, the later ones as if the machine were as fast as in the earlier.

    Who left the contest was timed then, and has to be compared with who is timed now.
    """
    pairs = [(early.latency, late.latency) for early, late in zip(before, after, strict=True) if early is not None]
    if not pairs:
        return list(after)
    pace = float(np.median([np.median(early) / np.median(late) for early, late in pairs]))
    joined = [np.concatenate([early, late * pace]) for early, late in pairs]
    return [replace(timing, latency=latency) for timing, latency in zip(after, joined, strict=True)]
