"""What every estimator owes, on every problem: the interface, repeatability, honest counts and honest claims."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from _pytest.mark import ParameterSet
from cases import (
    CASES,
    COVERING,
    PROBLEMS,
    Case,
    is_dear,
)
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from benchmarks.gpu.checks import SCATTERED as REPLICATES
from benchmarks.gpu.checks import check_shapes, scattered
from estimators.bounds.unbiased_log_evidence import UnbiasedLogEvidence
from estimators.by_variable.per_variable import PerVariable
from estimators.by_variable.stochastic_triple import StochasticTriple
from estimators.interface import EXPECTED_COST, Estimator, LatentVariableProblem, Noise, Params, Problem, replicated
from estimators.noise import IID
from estimators.programs import Program, runs
from estimators.programs.visits import Trace
from estimators.sampling import families
from estimators.sampling.own_sampler import Fallback
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload

pytestmark = pytest.mark.usefixtures("short_fits", "small_chunks")

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


FLOAT64 = 1e-10
"""Relative rounding error of float64 through logarithms, exponentials and sums of a few hundred terms."""


def param(case: Case, slow: bool) -> ParameterSet:
    """All cases of an estimator go to one process, which has them in its cache."""
    group = pytest.mark.xdist_group(case.estimator)
    return pytest.param(case, marks=[group, pytest.mark.slow] if slow else [group], id=str(case))


each_case = pytest.mark.parametrize("case", [param(case, case not in COVERING) for case in CASES])


@cache
def workload(case: Case, dtype: str = "float64", device: str = "cpu") -> Workload:
    """With the estimator fitted, where it learns."""
    return prepare(*case.make(), case.num_samples, dtype=dtype, device=device)


def draw(work: Workload, params: Params, seed: int = 3) -> Noise:
    return work.estimator.draw(work.problem, params, work.num_samples, IID(seed, work.device, work.dtype))


def gradient(work: Workload, params: Params, noise: Noise) -> Params:
    return work.estimator.gradient(work.problem, params, noise)


def identical(first: object, second: object) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tree_leaves(first), tree_leaves(second), strict=True))


@each_case
@pytest.mark.parametrize("device", DEVICES)
def test_shape_dtype_and_device(case: Case, device: str) -> None:
    for dtype in ("float32", "float64"):
        check_shapes(workload(case, dtype, device), device)


@each_case
def test_same_seed_same_gradient_and_nothing_else_touched(case: Case) -> None:
    work = workload(case)
    params = scattered(work)
    before = {name: value.clone() for name, value in params.items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    noise = draw(work, params)
    untouched = tree_map(torch.clone, noise)
    first = gradient(work, params, noise)
    assert torch.equal(torch.get_rng_state(), state), "torch's global generator was used"
    assert identical(params, before), "the parameters were written to"
    assert identical(noise, untouched), "the noise was written to"
    assert identical(gradient(work, params, noise), first), "the surrogate is not pure"
    torch.manual_seed(6)
    assert identical(draw(work, params), noise), "the noise depends on more than its source"
    again = prepare(*case.make(), case.num_samples, dtype="float64")
    assert identical(gradient(again, params, noise), first), "what `fit` learned depends on more than its source"


@each_case
def test_replicates_are_independent_rows(case: Case) -> None:
    work = workload(case)
    if isinstance(families.find(work.problem.initial_distribution), Fallback):
        pytest.skip("its own sampler makes all replicates from one seed")
    if isinstance(work.estimator, UnbiasedLogEvidence):
        pytest.skip("its noise has an axis of its own kind, taken apart in test_unbiased_log_evidence.py")
    params = scattered(work)
    noise = draw(work, params)
    batch = gradient(work, params, noise)
    for row in (0, REPLICATES - 1):
        if isinstance(work.estimator, PerVariable):
            of_row = only_of_branches(noise, row, points(work.problem))
        else:
            of_row = only(noise, row)
        alone = gradient(work, {name: value[row : row + 1] for name, value in params.items()}, of_row)
        for name, value in alone.items():
            torch.testing.assert_close(value[0], batch[name][row], rtol=FLOAT64, atol=FLOAT64)


def points(made: Problem) -> int:
    """The data points of a program, each of which has runs of its own."""
    return made.batch_of(replicated(made.initial_params(), 1)).numel() if isinstance(made, Program) else 1


def only(noise: Noise, row: int, behind: int = 0) -> Noise:
    """The noise of one replicate, of which the axis of replicates may have others behind it, or before it and some."""
    sizes, place = ((-1, REPLICATES, behind), 1) if behind else ((REPLICATES, -1), 0)

    def select(leaf: Tensor) -> Tensor:
        axes = [axis for axis, size in enumerate(leaf.shape) if size and size % REPLICATES == 0]
        assert len(axes) <= 1, "choose another number of replicates for this test"
        if not axes:
            return leaf
        found = leaf.unflatten(axes[0], sizes).select(axes[0] + place, row)
        return found.flatten(axes[0], axes[0] + 1) if behind else found

    return tree_map(select, noise)


def only_of_branches(noise: Noise, row: int, points: int) -> Noise:
    """The noise of one replicate's runs, and of the branches of each of its samples: those are `[S·R·N]`."""
    joint, branches = noise
    return only(joint, row), only(branches, row, points)


@each_case
def test_loss_has_the_gradient_that_is_measured(case: Case) -> None:
    work = workload(case)
    params = {name: value.clone().requires_grad_() for name, value in work.point.items()}
    source = IID(7, dtype=torch.float64)
    loss = work.estimator.loss(work.problem, params, case.num_samples, source)
    assert loss.shape == ()
    loss.backward()
    batched, noise = replicated(work.point, 1), work.draw(IID(7, dtype=torch.float64), 1)
    for found in (work.gradient(batched, noise), gradient(work, batched, noise)):
        for name, value in params.items():
            assert value.grad is not None
            torch.testing.assert_close(value.grad, found[name][0], rtol=FLOAT64, atol=FLOAT64)


@each_case
def test_value_of_the_surrogate_estimates_the_cost(case: Case) -> None:
    work = workload(case)
    if not work.estimator.estimates_cost(work.problem):
        params = scattered(work)
        assert (work.estimator.surrogate(work.problem, params, draw(work, params)) == 0).all()
        return
    if case.claim() == "biased":
        pytest.skip("the bias of its gradient goes through its value too")
    if work.objective != EXPECTED_COST:
        pytest.skip("its value estimates its own objective")
    expected = work.problem.exact_cost(replicated(work.point, 1))
    if expected is None:
        pytest.skip("its expected cost is not known")
    params = work.params(1024)
    with torch.no_grad():
        value = work.estimator.surrogate(work.problem, params, work.draw(IID(11, dtype=torch.float64), 1024))
    rounding = FLOAT64 * float(expected.abs())
    assert abs(float(value.mean() - expected)) <= 5 * float(value.std()) / 32 + rounding


class Counter:
    """Counts the samples whose cost is computed, all those of one replicate; a cost is that of all data points."""

    def __init__(self, made: Problem, estimator: Estimator, patch: pytest.MonkeyPatch):
        self.count = 0
        if isinstance(estimator, PerVariable | StochasticTriple):  # which run a program themselves
            self._count_runs(patch, points(made))
            return
        latent = isinstance(made, LatentVariableProblem)
        self.data = made.observation.shape[-2] if isinstance(made, LatentVariableProblem) else 1
        for name in ("log_joint",) if latent else ("cost", "energy"):  # cost calls log_joint
            if (original := getattr(type(made), name, None)) is not None:
                patch.setattr(type(made), name, self._counted(original))

    def _counted(self, original: Callable[[Problem, Tensor, Params], Tensor]) -> Callable[..., Tensor]:
        def cost(this: Problem, x: Tensor, params: Params) -> Tensor:
            points = x.shape[2] if isinstance(this, LatentVariableProblem) else 1
            self.count += x.shape[:2].numel() * points // self.data
            return original(this, x, params)

        return cost

    def _count_runs(self, patch: pytest.MonkeyPatch, points: int) -> None:
        """Runs to the end: one that stops at a variable, to know its distribution, has not paid all costs.

        Those of all data points are one evaluation.
        """
        follow, mapped = runs.follow, runs._mapped
        size = 1

        def followed(*arguments: Any) -> Trace:
            trace = follow(*arguments)
            self.count += size * (trace.visits[-1].drawn is not None)
            return trace

        def each(one: Callable[..., Any], params: Params, own: list[runs.Own], data: Tensor | None) -> Any:
            nonlocal size
            size = own[0][0].shape[: 2 if data is None else 3].numel() // points
            try:
                return mapped(one, params, own, data)
            finally:
                size = 1

        patch.setattr(runs, "follow", followed)
        patch.setattr(runs, "_mapped", each)


@each_case
def test_counted_evaluations(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    work = workload(case)
    if isinstance(work.estimator, UnbiasedLogEvidence):
        pytest.skip("their number is random, and its mean is counted in test_unbiased_log_evidence.py")
    counter = Counter(work.problem, work.estimator, monkeypatch)
    params, noise = work.params(1), work.draw(IID(0, dtype=torch.float64), 1)
    if isinstance(work.estimator, PerVariable):
        counter.count = 0  # the runs whose branches have noise are those of the gradient, run once more
    gradient(work, params, noise)
    assert counter.count == work.estimator.evaluations(work.problem, case.num_samples)


def test_every_registered_problem_is_used() -> None:
    assert {case.problem for case in COVERING} == set(PROBLEMS)
    assert {case.problem for case in COVERING if case.claim() == "unbiased" and not is_dear(case)} == set(PROBLEMS)
