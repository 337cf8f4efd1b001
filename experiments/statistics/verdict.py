"""Is an estimator biased? The combined test, and whether enough replicates were drawn to tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.statistics import laws as stats
from experiments.statistics.bias import bias_bounds
from experiments.statistics.deviation import Deviation
from experiments.statistics.groups import Groups
from experiments.statistics.standardised import Standardised, gradient, squared_norm

__all__ = [
    "ALPHA",
    "ROUNDING",
    "TOLERANCE",
    "BiasTest",
    "Verdict",
    "bias_test",
    "rounding_floor",
    "shortage",
]

ALPHA = 0.001  # false alarms of the combined test
TOLERANCE = 0.01  # relative bias that must have been detectable, and excluded, before a claim counts as confirmed

ROUNDING = 64
"""Units in the last place that rounding may cost."""


Verdict = Literal["unbiased", "biased", "undetermined"]


@dataclass(frozen=True)
class BiasTest:
    """`detectable`: the smallest bias along the gradient, relative to it, that is seen 99 times in 100."""

    p_value: float
    detectable: float
    verdict: Verdict


def rounding_floor(eps: float, reference: np.ndarray) -> float:
    """Deviation of any entry that rounding explains: 64 eps max|g|; `eps` of the dtype that estimates were computed in.

    Without it an estimator of no variance would be called biased for its last bit. It holds for entries that are what
    is left of terms as large as the others; `ROUNDING * eps` times its own size for one that is not.
    """
    return float(ROUNDING * eps * np.abs(gradient(reference)).max())


@np.errstate(over="ignore", invalid="ignore")
def bias_test(
    groups: Groups,
    reference: np.ndarray,
    floor: np.ndarray | float,
    parts: Sequence[slice] = (slice(None),),
    scale: float = 0.0,
) -> BiasTest:
    """Test E g_hat = g once, when sampling has ended, at level `ALPHA`.

    Smallest of three p-values, times three (Bonferroni): along the gradient ("everything is 1 % too large"), over all
    parameters together (a quadratic form with three matched moments: Hall 1983, Buckley & Eagleson 1988) and parameter
    by parameter (Holm 1979).

    Args:
        groups: [G, P].
        reference: g, [P] exact or [G, P] group means of a measured one.
        floor: what rounding explains, [P] or of all entries, as `rounding_floor`; counted as an error of every entry,
            once as a shift and once as noise.
        parts: where the entries of each parameter lie. Events as large as those of its other entries may have been
            missed in an entry (`events.unseen`).
        scale: as large as an event may be where nothing has varied; inf: not known, and nothing is called biased.
    """
    if not _finite(groups, reference):
        return BiasTest(float("nan"), float("nan"), "undetermined")
    standardised = Standardised.of(groups, reference, floor, parts, scale)
    detectable = standardised.detectable(ALPHA)
    p_value = min(1.0, 3 * min(standardised.p_along(), standardised.p_together(), standardised.p_each()))
    if p_value < ALPHA:
        return BiasTest(p_value, detectable, "biased")
    deviation = standardised.deviation
    upper = _upper_bound(deviation, deviation.squared, deviation.noise_along())
    excluded = detectable <= TOLERANCE and upper <= TOLERANCE**2 * squared_norm(reference)
    return BiasTest(p_value, detectable, "unbiased" if excluded else "undetermined")


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def shortage(
    groups: Groups,
    reference: np.ndarray,
    floor: np.ndarray | float,
    parts: Sequence[slice] = (slice(None),),
    scale: float = 0.0,
) -> float:
    """The factor of replicates that would confirm an unbiased estimator; at most 1 where there are enough.

    Looks at the noise alone and never at the deviation itself, so that sampling until it is 1 does not spoil the test.
    0 where groups or reference are not finite: more replicates cannot help.
    """
    if not _finite(groups, reference):
        return 0.0
    standardised = Standardised.of(groups, reference, floor, parts, scale)
    deviation = standardised.deviation
    # The squared bias of an unbiased estimator is below this 99 times in 100.
    unlucky = stats.norm.ppf(0.99) * np.sqrt(2 * deviation.traces.second)
    excluded = _upper_bound(deviation, float(unlucky), along=0.0)
    factors = (standardised.detectable(ALPHA) / TOLERANCE) ** 2, excluded / (TOLERANCE**2 * squared_norm(reference))
    return float(np.fmax(*factors))


def _upper_bound(deviation: Deviation, estimate: float, along: float) -> float:
    """One-sided 99 % bound of the squared bias."""
    quantile = float(stats.t.ppf(0.99, deviation.size - 1))
    return bias_bounds(estimate, deviation.traces, along, quantile)[1]


def _finite(groups: Groups, reference: np.ndarray) -> bool:
    return all(np.isfinite(x).all() for x in (groups.mean, groups.deviations, reference))
