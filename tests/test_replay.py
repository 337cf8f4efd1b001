"""Noise in two halves: the same numbers as in one, where it is nothing but draws."""

from dataclasses import dataclass
from typing import final

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import IID, NoiseSource
from estimators.registry import make_estimator, make_problem
from experiments.gradients.bulk import LARGE, Bulk, finished, iid
from experiments.gradients.replay import Draw, Recipe
from experiments.gradients.steps import Eager

CPU = torch.device("cpu")
REPLICATES = LARGE // 4


def recipe(step: Eager, dtype: torch.dtype) -> tuple[Recipe, Params]:
    point = {name: value.to(dtype) for name, value in step.problem.initial_params().items()}
    params = {name: value.expand(REPLICATES, *value.shape) for name, value in point.items()}
    return Recipe.of(step, params, CPU, dtype), params


def step(estimator: str | Estimator, problem: str) -> Eager:
    return Eager(make_problem(problem), make_estimator(estimator) if isinstance(estimator, str) else estimator, 4)


@final
@dataclass(frozen=True)
class Several(Estimator):
    """Draws several times from one source, and from streams of streams."""

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        replicates = len(next(iter(params.values())))
        shape = (num_samples, replicates)
        inner = source.stream("a").stream("b")
        return {"z": source.normal(shape), "a": [source.normal(shape), source.uniform(shape)], "b": inner.normal(shape)}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        raise AssertionError


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("estimator", "problem", "purposes"),
    [
        ("pathwise", "gaussian-quadratic:dim=2", [()]),
        ("pathwise:form=inverse-cdf", "gaussian-quadratic:dim=2", [()]),
        ("rebar", "bernoulli-toy:dim=3", [(), ("conditional",)]),
        ("score-function", "bernoulli-toy:dim=1", [()]),
        (Several(), "gaussian-quadratic:dim=2", [(), (), (), ("a", "b")]),
    ],
)
def test_the_halves_make_the_noise(
    estimator: str, problem: str, purposes: list[tuple[str]], dtype: torch.dtype
) -> None:
    eager = step(estimator, problem)
    made, params = recipe(eager, dtype)
    assert [draw.purposes for draw in made.draws] == purposes
    source, again = iid(3, CPU, dtype), iid(3, CPU, dtype)
    for _ in range(2):
        expected, found = eager.noise(params, source), made.noise(made.raw(again))
        assert type(found) is type(expected)
        for one, other in zip(tree_leaves(expected), tree_leaves(found), strict=True):
            assert torch.equal(one, other)


ODD = ("swapped", "dropped", "changed", "changed in place", "twice", "half", "number")


@final
@dataclass(frozen=True)
class Odd(Estimator):
    """Draws what it returns in another order, in part, or changed."""

    kind: str

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        one, other = source.uniform((num_samples, 2)), source.stream("other").uniform((num_samples, 2))
        match self.kind:
            case "swapped":
                return other, one
            case "dropped":
                return (one,)
            case "changed":
                return one, 1 - other
            case "changed in place":
                return one, other.mul_(0.5)
            case "twice":
                return one, other, one
            case "half":
                return one, other.to(torch.float16)
            case _:
                return one, num_samples

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        raise AssertionError


@pytest.mark.parametrize(
    ("estimator", "problem"),
    [
        *((Odd(kind), "gaussian-quadratic") for kind in ODD),
        ("pathwise", "gamma-cost"),
        ("pathwise", "von-mises-cost"),
        ("score-function", "poisson-quadratic"),
        ("stratified:scheme=sobol", "gaussian-quadratic:dim=2"),
        ("evolution-strategies", "gaussian-quadratic"),
    ],
)
def test_noise_that_is_more_than_its_draws_has_no_halves(estimator: str | Estimator, problem: str) -> None:
    with pytest.raises(NotImplementedError):
        recipe(step(estimator, problem), torch.float32)


def test_large_draws_in_single_precision_are_words_first() -> None:
    for dtype, expected in ((torch.float32, torch.int32), (torch.float64, torch.float64)):
        for law in ("uniform", "normal"):
            assert Draw((), law, (LARGE,)).raw(Bulk(0, CPU, dtype)).dtype == expected
            assert Draw((), law, (LARGE,)).raw(IID(0, CPU, dtype)).dtype == dtype
    words = torch.arange(8, dtype=torch.int32)
    assert finished("uniform", words, (2, 4)).shape == (2, 4)
    assert torch.equal(words, torch.arange(8)), "left as they are"
