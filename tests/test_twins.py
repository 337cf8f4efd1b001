"""A program of one variable is the problem that somebody writes by hand: same support, claims, counts, estimates."""

import pytest
import torch
from cases import ESTIMATORS, NUM_SAMPLES
from twins import TWINS, twins

from estimators.interface import Estimator, LatentVariableProblem, Params, Problem
from estimators.noise import IID
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare

pytestmark = pytest.mark.usefixtures("short_fits", "small_chunks")

OF_SEVERAL_VARIABLES = ("per-variable", "stochastic-triple", "score-function:control_variate=critic")
OF_DATA_POINTS = ("per-data-point", "score-function:control_variate=neural", "score-function:control_variate=vargrad")
OF_ANSWERS = (
    "policy-gradient",
    *(f"score-function:control_variate={one}" for one in ("batch-normalized", "greedy")),
    *(f"score-function:control_variate={mark}{one}" for mark in ("", "(") for one in ("length-", "optimal-token")),
)
OF_THE_COST = ("path-derivative", "stratified:base=path-derivative", "path-with-jumps")
OF_MORE = (*OF_SEVERAL_VARIABLES, *OF_DATA_POINTS, *OF_ANSWERS, *OF_THE_COST)
"""Estimators that need more of a problem than its cost, which a program of one variable does not tell."""
OF_LATENTS = ("bonnet-price", "pathwise:control_variate=", "max-at-k")
"""Estimators that take the entropy of a latent-variable problem by a formula, or see its data points."""
ROUNDING = 1e-9
SPECS = [spec for spec in ESTIMATORS if not (make_estimator(spec).traits.log_weights or spec.startswith(OF_MORE))]


def fits(estimator: Estimator, problem: Problem) -> int | None:
    return next((count for count in NUM_SAMPLES if estimator.unsupported(problem, count) is None), None)


def alike(spec: str, twin: str) -> bool:
    """Whether the program tells the estimator all that it uses of the problem."""
    return not (spec.startswith(OF_LATENTS) and isinstance(twins(twin)[0], LatentVariableProblem))


@pytest.mark.parametrize("twin", TWINS)
def test_a_program_is_refused_where_the_problem_by_hand_is_and_claims_and_costs_the_same(twin):
    by_hand, program = twins(twin)
    for spec in filter(lambda one: alike(one, twin), SPECS):
        estimator = make_estimator(spec)
        for count in (4, 1):
            words = estimator.unsupported(by_hand, count)
            assert estimator.unsupported(program, count) == words, spec
            if words is None:
                for asked in (estimator.claim, estimator.evaluations):
                    assert asked(program, count) == asked(by_hand, count), spec


def gradients(problem: Problem, spec: str, count: int, replicates: int) -> Params:
    """At other parameters for each replicate, from the same noise."""
    work = prepare(problem, make_estimator(spec), count, dtype="float64")
    params = {}
    for name, value in work.point.items():
        shift = torch.linspace(0, 0.2, replicates, dtype=torch.float64)
        params[name] = value + shift.reshape(-1, *[1] * value.ndim)
    noise = work.estimator.draw(work.problem, params, count, IID(3, dtype=torch.float64))
    return work.estimator.gradient(work.problem, params, noise)


def check_same(twin: str, spec: str) -> None:
    count = fits(make_estimator(spec), twins(twin)[0])
    assert count is not None
    by_hand, program = (gradients(problem, spec, count, 3) for problem in twins(twin))
    for name, value in by_hand.items():
        torch.testing.assert_close(program[name], value, rtol=ROUNDING, atol=ROUNDING)


def supported(spec: str) -> list[str]:
    return [twin for twin in TWINS if alike(spec, twin) and fits(make_estimator(spec), twins(twin)[0]) is not None]


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_gradients(spec):
    """On one problem for each estimator, and not always the same one."""
    able = supported(spec)
    check_same(able[SPECS.index(spec) % len(able)], spec)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_gradients_on_every_twin(spec):
    for twin in supported(spec):
        check_same(twin, spec)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("twin", TWINS)
def test_one_replicate_is_mapped_without_its_axis(twin, count):
    by_hand, program = (gradients(problem, "score-function", count, 1) for problem in twins(twin))
    for name, value in by_hand.items():
        torch.testing.assert_close(program[name], value, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("twin", TWINS)
def test_a_program_says_by_itself_whether_its_cost_depends_on_the_parameters(twin):
    by_hand, program = twins(twin)
    assert program.cost_depends_on_params == by_hand.cost_depends_on_params
