"""The cases that conformance goes through: the variants of every registered estimator on every registered problem.

`COVERING` is what runs by default, one problem of each kind for each variant; `nox -s slow` runs the rest of the cross.
"""

import math
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache

import pytest

from estimators.interface import Estimator, LatentVariableProblem, Problem
from estimators.programs import Program
from estimators.registry import components, make_estimator, make_problem
from estimators.sampling.families import unwrap

__all__ = [
    "CASES",
    "COVERING",
    "ESTIMATORS",
    "NUM_SAMPLES",
    "PROBLEMS",
    "REFUSED",
    "Case",
    "each_estimator",
    "is_dear",
    "problem",
]

SMALL = {
    "bernoulli-toy": "bernoulli-toy:dim=2,logit=0.5,t=0.1",
    "beta-cost": "beta-cost:dim=1",
    "dirichlet-cost": "dirichlet-cost:dim=3",
    "exponential-quadratic": "exponential-quadratic:dim=2",
    "gamma-cost": "gamma-cost:concentration=5,dim=1",
    "gaussian-cosine": "gaussian-cosine:dim=2",
    "gaussian-exponential": "gaussian-exponential:dim=2,k=0.3",
    "gaussian-quadratic": "gaussian-quadratic:dim=2",
    "gaussian-step": "gaussian-step:dim=2,k=0.5",
    "gridworld": "gridworld:side=2,steps=2",
    "poisson-quadratic": "poisson-quadratic:dim=1",
    "random-walk": "random-walk:p=5,steps=6",
    "state-space": "state-space:steps=3",
    "student-t-cost": "student-t-cost:dim=1",
    "von-mises-cost": "von-mises-cost:dim=1",
}
"""Smaller than `Problem.variants`: a plain score function is decided within seconds, a grid needs four samples."""

PROBLEMS: list[str] = [
    spec for name, cls in components("problem").items() for spec in ([SMALL[name]] if name in SMALL else cls.variants())
]
ESTIMATORS: list[str] = [spec for cls in components("estimator").values() for spec in cls.variants()]
each_estimator = pytest.mark.parametrize("spec", ESTIMATORS)
NUM_SAMPLES = (4, 8, 2, 1)
"""In this order: a case has the first that its estimator supports; a grid in three dimensions needs eight."""


@cache
def problem(spec: str) -> Problem:
    return make_problem(spec)


@cache
def _estimator(spec: str) -> Estimator:
    return make_estimator(spec)


@dataclass(frozen=True)
class Case:
    estimator: str
    problem: str
    num_samples: int

    def __str__(self) -> str:
        return f"{self.estimator}@{self.problem}@{self.num_samples}"

    def make(self) -> tuple[Problem, Estimator]:
        return problem(self.problem), _estimator(self.estimator)

    def reason(self) -> str | None:
        made, estimator = self.make()
        return estimator.unsupported(made, self.num_samples)

    def claim(self) -> str:
        made, estimator = self.make()
        return estimator.claim(made, self.num_samples)


def _split() -> tuple[list[Case], list[Case]]:
    """A supported case for each pair that has one, and all that are refused on the way to it."""
    supported, refused = [], []
    for estimator in ESTIMATORS:
        for name in PROBLEMS:
            for num_samples in NUM_SAMPLES:
                case = Case(estimator, name, num_samples)
                if case.reason() is None:
                    supported.append(case)
                    break
                refused.append(case)
    return supported, refused


CASES, REFUSED = _split()

BOUNDS = [spec for spec in ESTIMATORS if make_estimator(spec).traits.log_weights]
DEAR = [
    "importance-weighted*@logistic-regression@*",  # weights in 31 dimensions
    "stratified:base=*@logistic-regression@*",
    "measure-valued*@logistic-regression@*",  # 125 evaluations a sample
    "score-function*@logistic-regression@*",
    "score-function@bernoulli-shared-logit@*",  # a gradient that is small against the cost
    "importance-weighted*@bernoulli-shared-logit@*",
    "reinforce-without-replacement@bernoulli-shared-logit@*",
    "reinforce-without-replacement@bandit-policy@*",  # heavy tails
    "sum-and-sample@bernoulli-shared-logit@*",
    "rebar@bernoulli-shared-logit@*",
    "score-function:control_variate=muprop@bernoulli-shared-logit@*",
    *(f"stratified:*@{name}-cost*" for name in ("gamma", "beta", "dirichlet")),  # invert a distribution function
    *(f"stratified:*@{name}-cost*" for name in ("mixture", "student-t", "von-mises")),
    *(f"{one}@{name}*" for one in [*BOUNDS, "fo*"] for name in ("digits-", "eight-schools", "mixture-cost", "state-")),
    "dice*",  # has the gradients of score-function: test_dice.py
    "[!p]*@flow*",  # a network for each sample
    "unbiased-log-evidence@*",  # no exact one, or weights of few moments; test_unbiased_log_evidence.py has another
    *(f"{one}*@digits-*" for one in ("importance-weighted", "measure-valued")),  # hundreds of parameters
    "score-function:control_variate=[!l]*@digits-*",
    "score-function:control_variate=lax@digits-*",
    "stratified:base=*@digits-*",
    "per-variable:discrete=[!s]*@gridworld:*",  # a run for each state of each variable
    "per-variable:discrete=arms@token-policy:*",
    "[!e]*@simulator:*",  # some milliseconds a sample
    "e[!x]*@simulator:*",
]
"""Cases whose claim takes more than some seconds to test, and whose estimator is tested on other problems."""


def is_dear(case: Case) -> bool:
    return any(fnmatch(str(case), pattern) for pattern in DEAR)


ALIKE = {
    "Exponential": "positive",
    "LogNormal": "positive",
    "Beta": "implicit",
    "Gamma": "implicit",
    "StudentT": "implicit",
    "VonMises": "implicit",
}
"""Distributions that most estimators treat alike: by a quantile function, or by the derivative of an implicit one."""
BY_FAMILY = ("pathwise*", "measure-valued*")
"""Estimators that have a formula of its own for each distribution."""


def one_by_one(made: Problem) -> bool:
    return isinstance(made, Program) and not made.mapped


def kind(estimator: str, name: str) -> tuple[str, bool]:
    """What an estimator may treat differently: the distribution, and whether the cost is one of latent variables."""
    made = problem(name)
    if one_by_one(made):
        return "one by one", False
    family = type(unwrap(made.initial_distribution)).__name__
    if not any(fnmatch(estimator, pattern) for pattern in BY_FAMILY):
        family = ALIKE.get(family, family)
    return family, isinstance(made, LatentVariableProblem)


KINDS_OF_A_VARIANT = 3
"""The first variant of an estimator is tried on every kind of problem, the others on so many, each on other ones."""


def _covering() -> frozenset[Case]:
    """One case for each variant and some kinds of problem, and not always the same problem of that kind."""
    chosen = []
    first = {variants[0] for cls in components("estimator").values() if (variants := list(cls.variants()))}
    for index, estimator in enumerate(ESTIMATORS):
        kinds: dict[tuple[str, bool], list[Case]] = {}
        for case in CASES:
            # One by one is how a run is called, whoever calls it: a fit would take minutes.
            if case.estimator == estimator and (estimator == "exact" or not one_by_one(problem(case.problem))):
                kinds.setdefault(kind(estimator, case.problem), []).append(case)
        every = list(kinds.values())
        step = 1 if estimator in first else math.ceil(len(every) / KINDS_OF_A_VARIANT)
        for cases in every[index % step :: step]:
            cheap = [case for case in cases if not is_dear(case)] or cases
            chosen.append(cheap[index % len(cheap)])
    return frozenset(chosen)


COVERING = _covering()
