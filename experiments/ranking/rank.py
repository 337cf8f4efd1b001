"""`rank`: which estimator to use on a problem, and with how many samples."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import SupportsIndex, get_args

import torch

from estimators.interface import Estimator, Problem
from estimators.registry import components, make_estimator
from experiments.gradients.mini_batches import require_all_data
from experiments.gradients.prepare import find_device
from experiments.gradients.problem_checks import check_initial_point
from experiments.gradients.validation import whole_number
from experiments.measuring.find_reference import forget_reference
from experiments.ranking.answer import Answer
from experiments.ranking.budget import Budget
from experiments.ranking.candidates import Candidates, across, candidates, chosen
from experiments.ranking.contest import Contest, Outcome
from experiments.ranking.entries import Entry
from experiments.ranking.order import By, named
from experiments.terminal.progress import narrator, silent

__all__ = ["SECONDS", "one_thread", "rank"]

SECONDS = 60.0
"""The budget where none is given."""


def rank(
    problem: Problem,
    num_samples: int | Sequence[int] = 10,
    *,
    estimators: Sequence[Estimator | str] | None = None,
    seconds: float | None = None,
    evaluations: int | None = None,
    by: By = "seconds",
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    seed: int = 0,
    fresh: bool = False,
    progress: bool = True,
    batch: int = 0,
) -> Answer:
    """Estimators on a problem, best first by MSE × time or MSE × evaluations; printed, what `gradmark rank` prints.

    With several `num_samples` each estimator takes part with each of them. `estimators` are specs or objects; None:
    every one that supports the problem. The budget of all together is `seconds` (60 where no budget is given),
    `evaluations` of the cost, or both, whichever ends first. `fresh` measures the reference gradient anew; `progress`
    tells on stderr what is done. With a `batch` gradients are on mini-batches of so many data points, as in training.

    Ctrl-C ends it early: the answer is what was known by then. Raises TypeError for a spec in place of a problem and
    ValueError for a device that is not there, an unknown estimator, a problem that does not keep to the interface.
    """
    if not isinstance(problem, Problem):
        raise TypeError("rank takes a Problem: make_problem(spec), or an object of a class of yours")
    if by not in get_args(By):
        raise ValueError(f"by must be {' or '.join(get_args(By))}, not {by!r}")
    samples, kind = _numbers(num_samples), str(dtype).removeprefix("torch.")
    budget = Budget(SECONDS if seconds is None and evaluations is None else seconds, evaluations)
    made = None if estimators is None else [make_estimator(one) if isinstance(one, str) else one for one in estimators]
    find_device(device)
    check_initial_point(problem, getattr(torch, kind))
    if batch:
        require_all_data(problem)
    if fresh:
        forget_reference(problem)
    with one_thread():
        able = _able(problem.to("cpu", getattr(torch, kind)), samples, made)
        contest = Contest(problem, str(device), seed, budget, kind, by, whole_number("batch", batch))
        own = {one.spec: one for one in made or () if not _registered(one)}
        entries = [Entry(spec, few, own.get(spec)) for few, found in able.items() for spec in found.supported]
        with narrator() if progress else nullcontext(silent()) as told:
            outcome = contest.measure(entries, told)
    return _answer(problem, able, outcome, by, {spec: repr(one) for spec, one in own.items()}, contest.batch)


def _numbers(num_samples: int | Sequence[int]) -> list[int]:
    given = [num_samples] if isinstance(num_samples, SupportsIndex) else num_samples
    found = list(dict.fromkeys(whole_number("num_samples", few) for few in given))
    if not found or min(found) < 1:
        raise ValueError(f"num_samples must be at least 1, not {min(found, default='an empty list')}")
    return found


def _able(problem: Problem, samples: Sequence[int], made: Sequence[Estimator] | None) -> dict[int, Candidates]:
    return {few: candidates(problem, few) if made is None else chosen(problem, few, made) for few in samples}


def _registered(estimator: Estimator) -> bool:
    """Whether its spec makes it."""
    return components("estimator").get(estimator.name) is type(estimator)


def _answer(
    problem: Problem, able: dict[int, Candidates], outcome: Outcome, by: By, own: dict[str, str], batch: int
) -> Answer:
    several = len(able) > 1

    def by_name(reasons: dict[Entry, str]) -> dict[str, str]:
        return {named(one.spec, one.num_samples) if several else one.spec: why for one, why in reasons.items()}

    return Answer(
        problem,
        list(able),
        outcome.measurements,
        across({few: found.unsupported for few, found in able.items()}),
        across({few: found.failed for few, found in able.items()}) | by_name(outcome.failed),
        {spec: like for found in able.values() for spec, like in found.same.items()},
        by_name(outcome.left_out),
        own,
        by,
        outcome.interrupted,
        batch,
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Gradients are timed on one core, as they were in all published figures."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
