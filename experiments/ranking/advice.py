"""What to use, in a sentence or two."""

from collections.abc import Sequence

from experiments.ranking.order import DISPUTED, UNITS, By, Ranked, plain_of
from experiments.statistics import Interval
from experiments.terminal.numbers import number

__all__ = ["SPOILED", "advice"]

DISPUTE = (
    "No advice: two ways to the gradient have found different ones, and nothing tells which is right. Where the cost, "
    "or the density of q, jumps, say differentiable = False; give expected_cost or exact_gradient where one is known; "
    "--by training compares estimators by the objective that they reach."
)
SPOILED = (
    "most estimators have estimates that are not finite. The cost, or the density of q, is NaN or infinite for some "
    "samples, which no budget changes: keep the arguments of logarithms, roots and quotients in their range, or try "
    "--dtype float64 where float32 overflows."
)
FOR = {"seconds": "for the time", "evaluations": "for the evaluations"}


def advice(ranking: Sequence[Ranked], quantity: str, by: By = "seconds") -> str:
    """What to use; the ranking is in order, by `quantity` × time or evaluations."""
    usable = [one for one in ranking if one.usable]
    if not usable and any(one.aside == DISPUTED for one in ranking):
        return DISPUTE
    if not usable:
        return "Every estimator of this problem's gradient is biased or not finite here: none can be recommended."
    if usable[0].vague:
        return _no_advice(usable, quantity, by)
    best, ties = usable[0], [one.name for one in usable[1:] if one.tied]
    clear = next((one for one in usable[1:] if not one.tied), None)
    sentence = f"Use {best.name}"
    if ties:
        more = f" and {len(ties) - 1} more" if len(ties) > 1 else ""
        sentence += f" (or {ties[0]}{more}, which it is not told apart from)"
    plain = plain_of(usable, lambda one: one.estimator)
    if best.figure.value == 0 and plain is not None and plain.figure.value > 0:
        sentence += f": it has no noise at all here, unlike {plain.name}, the plain estimator"
    elif clear is not None and best.figure.value > 0:
        times = clear.figure.value / best.figure.value
        sentence += f": {times:.3g} times less {quantity} {FOR[by]} than {clear.name}"
        if plain is clear:
            sentence += ", the plain estimator"
        elif plain is not None and not (plain is best or plain.tied):
            sentence += f", and {_times(plain.over(best))} less than {plain.name}, the plain estimator"
    return f"{sentence}."


def _times(ratio: Interval) -> str:
    """With its 95 % interval."""
    return f"{number(ratio.value)} times [{number(ratio.low)}, {number(ratio.high)}]"


def _no_advice(usable: Sequence[Ranked], quantity: str, by: By) -> str:
    """Why there is none, and the best of those that are known better."""
    best = usable[0]
    known = next((one for one in usable[1:] if not one.vague), None)
    better = f" Of those that are known better, {known.name} comes first." if known else ""
    if best.blind:
        return (
            f"No advice: every estimate of {best.name} was the same, and every cost. Either the cost does not depend "
            "on x, or through an event too rare to be seen, which a larger budget would hardly change: start from "
            "parameters where it happens."
        )
    ends = f"{number(best.figure.low)} to {number(best.figure.high)}"
    return (
        f"No advice: {best.name} comes first, but its {quantity} × {UNITS[by]} may be anything from {ends}. A larger "
        f"budget narrows that, unless a warning says why it does not.{better}"
    )
