"""What a measurement says, and its form as rows of the store."""

import dataclasses
import json
import math
from collections.abc import Hashable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np

from experiments.statistics import Groups, Interval, Work, relative_bias, relative_distance
from experiments.terminal.html import html_table
from experiments.terminal.numbers import interval, number, seconds
from experiments.terminal.words import bias
from experiments.timing.rounds import ROUNDS, Timing

__all__ = ["DISPUTED_REFERENCE", "Measurement", "Signal", "StopReason"]

StopReason = Literal["precision", "replicates", "max_replicates", "max_elements", "max_seconds", "nonfinite"]

DISPUTED_REFERENCE = "disputed_reference"
"""The diagnostic of a measurement whose reference was measured by several, who have found different gradients."""
PLAIN = {str, int, float, bool, NoneType}
"""The types of fields that are one column each."""
LARGE_TENSOR = 1_000
"""Entries of a tensor beyond which it has one summary row in the store."""


class Signal(NamedTuple):
    """Total variance and SNR over the entries of one named parameter."""

    total_variance: Interval
    snr: Interval | None


@dataclass(frozen=True)
class Measurement:
    """Bias, variance and cost of one gradient estimator on one problem. Intervals are (value, low, high) at 95 %.

    Without a reference gradient, everything that is compared with one is None.
    """

    estimator: str
    problem: str
    num_samples: int
    device: str
    dtype: str
    seed: int
    target: str
    """What the gradient is of, by the name of the objective: errors in one target are compared."""
    claim: Literal["unbiased", "biased"]
    """What the estimator says of its bias on this problem."""
    evaluations: int
    """Evaluations of the cost for one gradient."""
    fitted: bool
    """The estimator learned on separate noise first: the figures are conditional on that fit."""
    fit_seconds: float
    """Seconds of that fit, which are in no other figure; NaN where nothing was learned."""
    replicates: int
    """How many gradient estimates the figures are from."""
    stop_reason: StopReason
    """Why there are no more of them."""
    nonfinite: int
    """Replicates with a NaN or an infinity; any makes the moments NaN."""

    mean: dict[str, np.ndarray]
    """Mean estimate of each parameter."""
    variance: dict[str, np.ndarray]
    """Variance of each entry of one estimate, between `variance_low` and `variance_high`."""
    variance_low: dict[str, np.ndarray]
    variance_high: dict[str, np.ndarray]
    total_variance: Interval
    """Trace of the covariance of one gradient estimate."""
    batch: int
    """The data points of the mini-batch that each replicate has; 0: all data."""
    order: int
    """1: of gradients; 2: of the Hessian times a direction, which stands wherever the gradient is named here."""
    kurtosis: float
    """Where it is large, tails are heavy, and variances may be larger than their intervals say."""
    snr: Interval | None
    """‖E ĝ‖ / √total_variance; None where the signal is not seen to be positive or nothing varies."""
    signals: dict[str, Signal]
    """The total variance and the SNR of each named parameter alone."""

    reference: Literal["exact", "measured", "none"]
    """What the estimates are compared with: the exact gradient, one from a long run, or nothing."""
    reference_gradient: dict[str, np.ndarray] | None
    """g, by parameter."""
    gradient_norm: float | None
    """‖g‖."""
    squared_bias: Interval | None
    """Unbiased estimate of ‖E ĝ − g‖²; it may be negative."""
    mse: Interval | None
    """E ‖ĝ − g‖²."""
    cosine: Interval | None
    """Mean cosine between estimate and gradient; None where g = 0."""
    scale: Interval | None
    """⟨E ĝ, g⟩ / ‖g‖²: of a rescaled gradient by how much."""
    mean_cosine: Interval | None
    """The cosine between E ĝ and g: 1 of a rescaled gradient, however noisy; None where g = 0 or has one entry."""
    verdict: Literal["unbiased", "biased", "undetermined"] | None
    """What the estimates show: `unbiased` only where a bias of 1 % is excluded, whatever its direction, of which
    `detectable_bias` knows one alone."""
    p_value: float | None
    """The chance of estimates that are as far off, were there no bias."""
    detectable_bias: float | None
    """The smallest bias along the gradient, relative to it, that would have been seen 99 times in 100."""

    diagnostics: dict[str, float]
    warnings: tuple[str, ...]
    """What to know before the figures are believed, in sentences."""
    statistics_seconds: float
    compile_seconds: float
    """Seconds of the first call of a compiled gradient, beside `statistics_seconds`; NaN where none was compiled."""
    groups: Groups = dataclasses.field(repr=False, compare=False)
    """The group moments from which the intervals come."""
    leave_one_out: dict[str, np.ndarray] = dataclasses.field(repr=False, compare=False)
    """Logarithms of `total_variance` and `mse` without group k, [G], for paired comparisons; where all are finite."""
    timing: Timing | None = None
    """How long one gradient takes."""
    batch_share: Interval | None = None
    """The part of the total variance that is the choice of the mini-batch: None of all data, where nothing varies, and
    where nobody asked (`experiments.measuring.batch_share`)."""
    reference_groups: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)
    """The reference with its noise: `Reference.groups`."""

    @property
    def reference_error(self) -> float | None:
        """How far the reference may be from the gradient, relative to that: 0 of an exact one; None without one."""
        return None if self.reference_groups is None else relative_distance(self.reference_groups)

    @property
    def seconds_per_gradient(self) -> Interval | None:
        """Latency of one gradient at R = 1: median and quartiles, in seconds."""
        return None if self.timing is None else self.timing.seconds_per_gradient

    @property
    def seconds_per_gradient_batched(self) -> Interval | None:
        """Time of a full chunk divided by its replicates: median and quartiles, in seconds."""
        return None if self.timing is None else self.timing.seconds_per_gradient_batched

    @property
    def peak_memory_bytes(self) -> int | None:
        return None if self.timing is None else self.timing.peak_memory_bytes

    def work(self, quantity: Literal["total_variance", "mse"], turns: Hashable | None = None) -> Work | None:
        """The quantity times the seconds of a gradient, to be compared with others; None: one of the two is unknown."""
        value = getattr(self, quantity)
        if self.timing is None or value is None:
            return None
        return Work(value, self.leave_one_out.get(quantity), self.timing.latency, turns)

    def work_in_evaluations(self, quantity: Literal["total_variance", "mse"]) -> Work | None:
        """The quantity times the evaluations of a gradient, whatever it takes; None: the quantity is unknown."""
        value = getattr(self, quantity)
        price = np.full(ROUNDS, float(self.evaluations))
        return None if value is None else Work(value, self.leave_one_out.get(quantity), price, "evaluations")

    @property
    def work_normalized_variance(self) -> Interval | None:
        """Variance × seconds (Glynn & Whitt 1992)."""
        return None if self.timing is None else self.timing.times(self.total_variance)

    @property
    def work_normalized_mse(self) -> Interval | None:
        """MSE × seconds."""
        return None if self.timing is None or self.mse is None else self.timing.times(self.mse)

    def _repr_html_(self) -> str:
        """The main figures, for a notebook."""
        rows = {
            "estimator": f"{self.estimator}, {number(self.num_samples)} samples",
            "problem": self.problem,
            "total variance": interval(*self.total_variance),
            "bias relative to the gradient": bias(relative_bias(self.squared_bias, self.gradient_norm)),
            "claim, verdict": f"{self.claim}, {self.verdict or 'no reference'}",
            "MSE": interval(*self.mse) if self.mse else "",
            "evaluations": number(self.evaluations),
            "time": seconds(self.seconds_per_gradient.value) if self.seconds_per_gradient else "",
            "replicates": number(self.replicates),
        }
        return html_table([row for row in rows.items() if row[1]], note="; ".join(self.warnings))

    def row(self) -> dict[str, Any]:
        """The columns of the statistics in the store's `cells` table: every field that is a figure or a text."""
        columns: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            types = _types(field.type)
            if Interval in types:
                columns |= Interval.entries(field.name, getattr(self, field.name))
            elif types <= PLAIN:
                columns[field.name] = getattr(self, field.name)
        return columns | {"warnings": "\n".join(self.warnings), "diagnostics": json.dumps(self.diagnostics)}

    def parameters(self) -> list[dict[str, Any]]:
        """The rows of the store's `parameters` table: one an entry, or one a tensor of more than 1,000 entries."""
        return [row for name in self.mean for row in self._parameter_rows(name)]

    def signal_rows(self) -> list[dict[str, Any]]:
        """The rows of the store's `signals` table: one a named parameter."""
        return [
            {"parameter": name, **Interval.entries("total_variance", total), **Interval.entries("snr", snr)}
            for name, (total, snr) in self.signals.items()
        ]

    def leave_one_out_rows(self) -> list[dict[str, Any]]:
        """The rows of the store's `leave_one_out` table."""
        return [{"quantity": name, "logs": logs.astype("<f8").tobytes()} for name, logs in self.leave_one_out.items()]

    def _variance(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.variance[name], self.variance_low[name], self.variance_high[name]

    def _parameter_rows(self, name: str) -> list[dict[str, Any]]:
        columns = {
            "mean": self.mean[name],
            **dict(zip(Interval.columns("variance"), self._variance(name), strict=True)),
            "reference": None if self.reference_gradient is None else self.reference_gradient[name],
        }
        flat = {key: np.ravel(value) if value is not None else None for key, value in columns.items()}
        size = self.mean[name].size
        if size > LARGE_TENSOR:
            means = {key: _mean(value) for key, value in flat.items()}
            return [{"parameter": name, "index": None, **means}]
        return [
            {"parameter": name, "index": index}
            | {key: math.nan if value is None else float(value[index]) for key, value in flat.items()}
            for index in range(size)
        ]


def _types(hint: Any) -> set[Any]:
    """The types that a field may have; for a `Literal`, the type of its values."""
    alternatives = get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)
    return {type(get_args(one)[0]) if get_origin(one) is Literal else one for one in alternatives}


def _mean(value: np.ndarray | None) -> float:
    return math.nan if value is None else float(value.mean())
