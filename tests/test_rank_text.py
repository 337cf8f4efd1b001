"""What `gradmark rank` tells beside its numbers: claims, verdicts, warnings, and when it gives no advice."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from measurements import QUADRATIC, estimated, work

from estimators.registry import make_problem
from experiments.measuring.measurement import Measurement
from experiments.ranking.answer import Answer
from experiments.ranking.remarks import lines
from experiments.statistics import Interval
from experiments.timing.rounds import Timing

HEAVY = "heavy tails (kurtosis about {}): the variance may be larger than its interval says"


@pytest.fixture(scope="module")
def found() -> Measurement:
    one = estimated(work("pathwise"), replicates=6400)
    latency = np.linspace(0.99e-4, 1.01e-4, 7)
    return replace(one, verdict="unbiased", timing=Timing(latency, latency, None, "no machine"))


def answer(*found: Measurement) -> Answer:
    return Answer(make_problem(QUADRATIC), [2], found, {}, {})


def like(one: Measurement, name: str, times: float = 1.0, **changes: Any) -> Measurement:
    mse = None if one.mse is None else Interval(*(times * value for value in one.mse))
    return replace(one, **({"estimator": name, "mse": mse, "leave_one_out": {}} | changes))


def told(one: Answer) -> str:
    return f"{one}\n"


def test_warnings_of_the_best_and_of_those_tied_with_it_stand_beside_the_advice(found) -> None:
    best = like(found, "best", warnings=(HEAVY.format(40), "the noise is short"))
    tie = like(found, "tie", 1.001, warnings=(HEAVY.format(51),))
    worse = [like(found, f"worse-{i}", 40.0, warnings=("clipped: in many samples",)) for i in range(3)]
    one = answer(best, tie, *worse)
    before, after = told(one).split("Use best")
    assert "worse-0 and 2 more: clipped\n" in before and "heavy" not in before
    assert f"  best and 1 more: {HEAVY.format('40 to 51')}\n" in after and "  best: the noise is short\n" in after
    assert one.document()["remarks"][0] == f"best and 1 more: {HEAVY.format('40 to 51')}"


def test_without_warnings_there_is_nothing_but_the_advice(found) -> None:
    assert found.warnings == ()
    one = answer(like(found, "best"), like(found, "worse", 40.0))
    assert one.remarks == [] and one.others == []
    assert told(one).split("Use best")[1].startswith(": 40 times less MSE for the time than worse.\n\nimport torch\n")


def test_no_advice_where_the_error_of_the_first_may_be_ten_times_as_large(found) -> None:
    assert found.mse is not None
    value = found.mse.value
    best = like(found, "best", mse=Interval(value, value / 2, value * 6), warnings=(HEAVY.format(22_141),))
    text = told(answer(best, like(found, "second", 2.0), like(found, "third", 3.0)))
    assert "No advice: best comes first, but its MSE × s may be anything from" in text
    assert "A larger budget narrows that" in text
    assert (
        "Of those that are known better, second comes first." in text and "heavy tails (kurtosis about 22141)" in text
    )
    assert "make_estimator" not in text and "Use " not in text
    document = answer(best).document()
    assert document["code"] == [] and document["advice"].startswith("No advice")
    narrower = like(found, "best", mse=Interval(value, value / 2, value * 4.9))
    assert answer(narrower).advice == "Use best."
    still = like(best, "best", total_variance=Interval(0.0, 0.0, 0.0), mse=Interval(1e-16, 0.0, math.inf))
    assert answer(still).advice == "Use best.", "an error of rounding alone"


def test_no_advice_where_nobody_is_there_to_compare_with(found) -> None:
    one = replace(answer(like(found, "first")), left_out={"second": "the budget ended before it was measured"})
    assert one.advice == "No advice: only first was measured, and 1 other was not: a larger budget compares them."
    assert one.code == "" and "second: not measured: the budget ended" in told(one)


def test_claim_and_verdict_are_two_things(found) -> None:
    rows = {
        "honest": {"claim": "biased", "verdict": "biased"},
        "modest": {"claim": "biased", "verdict": "unbiased"},
        "liar": {"claim": "unbiased", "verdict": "biased"},
        "right": {"claim": "unbiased", "verdict": "unbiased"},
        "unknown": {"claim": "unbiased", "verdict": "undetermined"},
        "aside": {"claim": "unbiased", "verdict": "biased", "target": "bound of 2 samples"},
    }
    text = told(answer(*(like(found, name, i, **row) for i, (name, row) in enumerate(rows.items(), start=1))))
    shown = {name: next(line for line in text.splitlines() if f" {name} " in line) for name in rows}
    place = {name: line.partition(f" {name} ")[0].strip() for name, line in shown.items()}
    said = {name: re.split(r"\s{2,}", line.partition(f" {name} ")[2].strip())[0] for name, line in shown.items()}
    assert said == {
        "honest": "biased, as claimed",
        "modest": "unbiased",
        "liar": "biased, against its claim",
        "right": "unbiased",
        "unknown": "undetermined",
        "aside": "biased, against its claim",
    }
    wanted = {"honest": "biased", "modest": "claims a bias", "liar": "biased", "right": "1", "aside": "other objective"}
    assert place == wanted | {"unknown": "2"}


def test_a_rescaled_gradient_is_told_as_one(found) -> None:
    parallel: dict[str, Any] = {"scale": Interval(2.04, 2.03, 2.05), "mean_cosine": Interval(0.99999, 0.9995, 1.0)}
    twice = like(found, "twice", claim="biased", verdict="biased", **parallel)
    text = told(answer(like(found, "right"), twice))
    assert "twice: a multiple of the gradient: 2.04 ×, cosine 1.000\n" in text
    assert "(2.04 × g)" in next(line for line in text.splitlines() if " twice " in line)
    row = answer(twice).document()["ranking"][0]
    assert row["scale"][0] == 2.04 and row["rescaled"] == "a multiple of the gradient: 2.04 ×, cosine 1.000"


def test_a_measured_rescaling_has_its_scale(found) -> None:
    one = estimated(work("score-function:control_variate=group-relative", num_samples=16), replicates=64_000)
    assert one.verdict == "biased" and one.scale is not None and one.mean_cosine is not None
    exact = sum((one.mean[name] * one.reference_gradient[name]).sum() for name in one.mean) / one.gradient_norm**2  # type: ignore
    assert one.scale.value == pytest.approx(exact, rel=1e-9)
    assert found.scale is not None and found.scale.low <= 1 <= found.scale.high


def test_the_document_is_json_whatever_is_not_finite(found) -> None:
    nothing = Interval(math.nan, math.nan, math.nan)
    spoiled = like(found, "spoiled", mse=nothing, squared_bias=nothing, scale=None, mean_cosine=None, nonfinite=3)
    json.dumps(answer(like(found, "best"), spoiled).document(), allow_nan=False)


def test_where_most_are_not_finite_and_none_is_known_well_it_is_the_cost_that_is_told_of(found) -> None:
    """A log of what may be negative: its derivative is finite, and so is one estimate, whose variance nobody knows."""
    vague = like(found, "vague", mse=Interval(1.0, 0.01, 90.0))
    spoiled = [like(found, name, mse=Interval(*[math.nan] * 3), nonfinite=30) for name in ("one", "two")]
    unknown = answer(vague, *spoiled)
    assert "is NaN or infinite for some samples, which no budget changes" in unknown.advice and unknown.code == ""
    assert answer(like(found, "best"), *spoiled).advice.startswith("Use best")
    assert "may be anything" in answer(vague, like(found, "other", 9.0)).advice


def test_a_best_that_may_be_biased_says_how_to_look_closer(found) -> None:
    text = told(answer(like(found, "best", verdict="undetermined")))
    assert f"  best: a bias of 1 % is not excluded: gradmark check 'best' -p '{QUADRATIC}' -n 2 looks closer" in text


def test_warnings_that_are_alike_are_one_line() -> None:
    pairs = [("a", "short: 3 of 4"), ("b", "short: 4 of 4"), ("b", "other"), ("a", "short: 9 of 4")]
    assert lines(pairs) == ["a and 1 more: short: 3 to 9 of 4", "b: other"]
    assert lines(pairs, short=True) == ["a and 1 more: short", "b: other"]
