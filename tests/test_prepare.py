"""A workload: what is learned is learned on noise that nothing else is made of."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem, learned
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_problem
from experiments.gradients.prepare import prepare

SHAPE = 4, 3


@dataclass(frozen=True)
class Listening(Estimator):
    """Remembers the noise that it was fitted on."""

    heard: Tensor | None = learned()

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Listening":
        return replace(self, heard=source.normal(SHAPE))


def test_the_noise_of_the_fit_is_not_that_which_is_measured_or_timed() -> None:
    work = prepare(make_problem("gaussian-quadratic:dim=2"), Listening(), 4)
    heard = work.estimator.heard  # type: ignore[attr-defined]
    streams = [("one",), ("timing",), *((name, index) for name in ("chunk", "step") for index in range(4))]
    others = [work.source(*purpose).normal(SHAPE) for purpose in streams]
    assert heard is not None and not any(torch.isin(heard, other).any() for other in others)


def test_another_seed_is_another_fit() -> None:
    first, second = (prepare(make_problem("gaussian-quadratic"), Listening(), 4, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.estimator.heard, second.estimator.heard)  # type: ignore[attr-defined]
