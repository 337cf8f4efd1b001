"""A latent-variable program is the model that somebody writes by hand: same support, claims, counts, estimates."""

from dataclasses import replace

import pytest
import torch
from latent_programs import BY_HAND, Alone, Parts, Whole

from estimators.bounds.bound import Bound
from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import IID
from estimators.registry import components, make_estimator
from estimators.score_function import ScoreFunction
from experiments.gradients.prepare import prepare

pytestmark = pytest.mark.usefixtures("short_fits", "small_chunks")

ROUNDING = 1e-9
COUNTS = (4, 8, 2, 1)
OF_VARIABLES = ("per-variable", "stochastic-triple", "score-function:control_variate=critic")
SPECS = [
    spec for cls in components("estimator").values() for spec in cls.variants() if not spec.startswith(OF_VARIABLES)
]
BOUNDS = [spec for spec in SPECS if isinstance(make_estimator(spec), Bound)]
SOME = [
    "pathwise",
    "score-function",
    "score-function:control_variate=leave-one-out",
    "score-function:control_variate=vargrad",
    "score-function:control_variate=taylor",
    "measure-valued",
    "spsa",
    "stratified:scheme=sobol",
    "importance-weighted:proposal=defensive",
    "per-data-point",
    "per-data-point:base=measure-valued",
]
JOINT = ["pathwise", "iwae", "dreg", "vimco", "reweighted-wake-sleep", "score-function"]
UNSTABLE = "neural-baseline"
"""Its first step divides a slope that is zero but for rounding by its size."""


def point(replicates: int) -> Params:
    """Other parameters for each replicate."""
    shift = torch.linspace(0, 0.2, replicates, dtype=torch.float64)
    return {name: value + shift.reshape(-1, *[1] * value.ndim) for name, value in BY_HAND.initial_params().items()}


def ready(problem: Problem, estimator: str | Estimator, count: int) -> tuple[Problem, Estimator]:
    made = make_estimator(estimator) if isinstance(estimator, str) else estimator
    work = prepare(problem, made, count, dtype="float64")
    return work.problem, work.estimator


def gradients(problem: Problem, spec: str | Estimator, count: int, replicates: int = 3, noise: Noise = None) -> Params:
    moved, estimator = ready(problem, spec, count)
    params = point(replicates)
    if noise is None:
        noise = estimator.draw(moved, params, count, IID(3, dtype=torch.float64))
    return estimator.gradient(moved, params, noise)


def check_same(found: Params, wanted: Params) -> None:
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=ROUNDING, atol=ROUNDING)


def in_total(spec: str) -> Estimator:
    """The estimator that weighs all scores by the whole cost: by default a program weighs each by what it causes."""

    def total(estimator: Estimator) -> Estimator:
        if isinstance(estimator, ScoreFunction):
            return replace(estimator, credit="total")
        base = getattr(estimator, "base", None)
        return replace(estimator, base=total(base)) if isinstance(base, Estimator) else estimator  # pyright: ignore

    return total(make_estimator(spec))


def fits(spec: str) -> int | None:
    return next((count for count in COUNTS if make_estimator(spec).unsupported(BY_HAND, count) is None), None)


def test_a_program_is_refused_where_the_problem_by_hand_is_and_claims_and_costs_the_same() -> None:
    made = Whole()
    assert (made.num_data, made.differentiable) == (BY_HAND.num_data, BY_HAND.differentiable)
    for spec in SPECS:
        estimator = make_estimator(spec)
        for count in (4, 1):
            words = estimator.unsupported(BY_HAND, count)
            assert estimator.unsupported(made, count) == words, spec
            if words is None:
                for asked in (estimator.claim, estimator.evaluations, estimator.objective):
                    assert asked(made, count) == asked(BY_HAND, count), spec


@pytest.mark.parametrize("spec", [*BOUNDS, *SOME])
def test_the_same_seed_gives_the_same_gradients(spec: str) -> None:
    count, whole = fits(spec), in_total(spec)
    assert count is not None
    check_same(gradients(Whole(), whole, count), gradients(BY_HAND, whole, count))


@pytest.mark.slow
@pytest.mark.parametrize("spec", [spec for spec in SPECS if fits(spec) is not None and UNSTABLE not in spec])
def test_the_same_seed_gives_the_same_gradients_whatever_the_estimator(spec: str) -> None:
    test_the_same_seed_gives_the_same_gradients(spec)


@pytest.mark.parametrize("count, replicates", [(4, 3), (2, 1), (1, 3)])
@pytest.mark.parametrize("spec", JOINT)
def test_two_variables_give_the_same_from_the_same_noise(spec: str, count: int, replicates: int) -> None:
    whole = in_total(spec)
    if whole.unsupported(BY_HAND, count) is not None:
        pytest.skip("needs more samples")
    moved, estimator = ready(BY_HAND, whole, count)
    noise = estimator.draw(moved, point(replicates), count, IID(3, dtype=torch.float64))
    wanted = estimator.gradient(moved, point(replicates), noise)
    check_same(gradients(Parts(), whole, count, replicates, noise), wanted)


@pytest.mark.parametrize("base", ["score-function", "score-function:control_variate=leave-one-out"])
def test_costs_are_credited_within_each_data_point(base: str) -> None:
    """What `per-data-point` does for a problem by hand, a program has from the score function alone."""
    wanted = gradients(BY_HAND, f"per-data-point:base=({base})", 4)
    check_same(gradients(Whole(), base, 4), wanted)
    check_same(gradients(Whole(), f"per-data-point:base=({base})", 4), wanted)


@pytest.mark.parametrize("base", ["score-function", "score-function:control_variate=leave-one-out"])
def test_each_variable_of_a_data_point_has_the_costs_after_it_by_either_way(base: str) -> None:
    check_same(gradients(Parts(), f"per-data-point:base=({base})", 4), gradients(Parts(), base, 4))


@pytest.mark.parametrize("spec", ["iwae", "dreg", "vimco", "score-function", "per-variable"])
def test_runs_one_by_one_give_what_mapped_ones_give(spec: str) -> None:
    check_same(gradients(Alone(), spec, 2, 2), gradients(Parts(), spec, 2, 2))


@pytest.mark.parametrize("made", [Whole(), Parts()])
@pytest.mark.parametrize("spec", ["iwae", "dreg", "vimco", "score-function:credit=total"])
def test_mini_batches_are_those_of_the_problem_by_hand(made: Whole, spec: str) -> None:
    indices = torch.tensor([[0, 1], [2, 2]])
    estimator, params = make_estimator(spec), point(2)
    by_hand = BY_HAND.batch(indices)
    noise = estimator.draw(by_hand, params, 3, IID(1, dtype=torch.float64))
    check_same(estimator.gradient(made.batch(indices), params, noise), estimator.gradient(by_hand, params, noise))
