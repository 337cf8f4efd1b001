"""What every estimator and problem is as a value, and that an estimator says where it cannot be used."""

from dataclasses import FrozenInstanceError

import pytest
from cases import (
    CASES,
    NUM_SAMPLES,
    PROBLEMS,
    REFUSED,
    each_estimator,
    problem,
)

from estimators.interface import Unsupported
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare

pytestmark = pytest.mark.usefixtures("short_fits", "small_chunks")


@each_estimator
def test_frozen_with_a_spec_that_builds_an_equal_one(spec: str) -> None:
    estimator = make_estimator(spec)
    rebuilt = make_estimator(estimator.spec)
    assert rebuilt == estimator
    assert hash(rebuilt) == hash(estimator)
    assert rebuilt.spec == estimator.spec
    with pytest.raises(FrozenInstanceError):
        estimator.anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", PROBLEMS)
def test_problem_is_frozen_with_a_spec_that_builds_an_equal_one(spec: str) -> None:
    made = make_problem(spec)
    assert make_problem(made.spec) == made
    assert make_problem(made.spec).spec == made.spec
    with pytest.raises(FrozenInstanceError):
        made.anything = 1  # type: ignore[attr-defined]


def is_a_sentence(reason: str) -> bool:
    return len(reason.split()) >= 4 and reason.isprintable() and reason == reason.strip()


@each_estimator
def test_refusal_says_why(spec: str) -> None:
    for place, case in enumerate(one for one in REFUSED if one.estimator == spec):
        made, estimator = case.make()
        reason = case.reason()
        assert reason is not None
        assert is_a_sentence(reason), reason
        if place:  # `require_support` is final: who asks it once, always does
            continue
        with pytest.raises(Unsupported) as loss:
            estimator.loss(made, made.initial_params(), case.num_samples)
        with pytest.raises(Unsupported) as prepared:
            prepare(made, estimator, case.num_samples)
        assert str(loss.value) == str(prepared.value) == reason


@each_estimator
@pytest.mark.parametrize("num_samples", [0, -1])
def test_too_few_samples_are_refused(spec: str, num_samples: int) -> None:
    estimator = make_estimator(spec)
    made = next(problem(case.problem) for case in CASES if case.estimator == spec)
    for call in (
        lambda: estimator.loss(made, made.initial_params(), num_samples),
        lambda: prepare(made, estimator, num_samples),
    ):
        with pytest.raises(Unsupported, match="num_samples") as refused:
            call()
        assert is_a_sentence(str(refused.value))


@each_estimator
def test_supported_by_a_problem(spec: str) -> None:
    assert any(case.estimator == spec for case in CASES), f"no problem supports {spec} with {NUM_SAMPLES} samples"
