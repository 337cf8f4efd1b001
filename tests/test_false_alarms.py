"""How often a right estimator is called biased: every estimator that claims to be right, on many problems and seeds."""

import dataclasses
import sys
from collections.abc import Iterator

import pytest
from cases import PROBLEMS

from estimators.interface import Problem
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.stop import Stop
from experiments.ranking.candidates import candidates

NUM_SAMPLES = 4
SEEDS = 6
REPLICATES = (640, 1_280, 2_560, 6_400)
"""By turns, for each seed."""
RATE = 0.003
"""The part of verdicts on right estimators that may be `biased`."""
SMALL = 60
"""The most entries of x and parameters of a problem that is looked at here."""
MEASURED = ("bernoulli-toy", "categorical-toy", "gamma-cost", "gaussian-quadratic", "mixture-cost", "student-t-cost")
"""Problems whose reference is measured as well."""


def without_formula(problem: Problem) -> Problem:
    """The same problem, which does not know its expected cost."""
    parts = {name: lambda self, params: None for name in ("expected_cost", "support")}
    kind = dataclasses.dataclass(frozen=True)(type("Unknown", (type(problem),), {"__module__": __name__, **parts}))
    kind.name = f"unknown-{problem.name}"
    given = {field.name: getattr(problem, field.name) for field in dataclasses.fields(problem) if field.init}  # pyright: ignore
    return kind(**given)


def problems() -> Iterator[Problem]:
    for spec in PROBLEMS:
        problem = make_problem(spec)
        entries = sum(value.numel() for value in problem.initial_params().values())
        if entries + problem.initial_distribution.event_shape.numel() > SMALL:
            continue
        yield problem
        if problem.name in MEASURED:
            yield without_formula(problem)


def verdicts(problem: Problem, seeds: int = SEEDS) -> Iterator[tuple[str, int, str | None, float | None]]:
    """The estimator, the seed, the verdict and the p-value: a learner has one seed."""
    references: dict[object, Reference | NoReference] = {}
    for spec in candidates(problem, NUM_SAMPLES).supported:
        estimator = make_estimator(spec)
        if estimator.claim(problem, NUM_SAMPLES) == "biased":
            continue
        for seed in range(1 if estimator.learns else seeds):
            replicates = REPLICATES[seed % len(REPLICATES)]
            work = prepare(problem, estimator, NUM_SAMPLES, seed=seed).at_most(replicates)
            if work.objective not in references:
                references[work.objective] = find_reference(work)
            found = estimate(work, references[work.objective], Stop(replicates=replicates))
            yield spec, seed, found.verdict, found.p_value


@pytest.mark.slow
def test_right_estimators_are_hardly_ever_called_biased(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    found = [(problem.spec, *each) for problem in problems() for each in verdicts(problem) if each[2] is not None]
    alarms = [each for each in found if each[3] == "biased"]
    assert len(found) >= 3_000 and len(alarms) <= RATE * len(found), alarms


if __name__ == "__main__":
    for made in problems():
        for line in verdicts(made):
            print(made.spec, *line, sep="\t", flush=True)
    sys.exit()
