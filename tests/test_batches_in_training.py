"""Mini-batches in a training loop of one's own: those of one replicate, for moved copies of it, and of any size."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from latent_programs import BY_HAND, Alone, Parts, Whole
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from estimators import LatentVariableProblem, Params, ReplicatedModule, make_estimator, replicated
from estimators.control_variates.moving_average import MovingAverage
from estimators.interface import Estimator
from estimators.noise import IID
from estimators.score_function import ScoreFunction
from experiments.ranking.rank import rank


@dataclass(frozen=True)
class Batched(LatentVariableProblem):
    """A module for all data points at once."""

    observation = BY_HAND.observation
    mean = ReplicatedModule(nn.Linear(2, 2).double(), "mean.")
    encoder = ("mean.weight", "mean.bias")

    def posterior(self, params: Params) -> Distribution:
        run = self.mean.of_data if self.observation.ndim == 2 else self.mean.of_batches
        return Independent(Normal(run(params, self.observation), 1.0), 1)

    def log_joint(self, z: Tensor, params: Params) -> Any:
        return -((z**2).sum(-1) + ((z.sin() - self.observation) ** 2).sum(-1)) / 2


CHOSEN = [2, 0]
MOVING = ["forward-gradient", "score-function:control_variate=optimal-baseline", "finite-differences"]


def gradient(estimator: Estimator, problem: LatentVariableProblem) -> Params:
    params = replicated(problem.initial_params(), 1)
    return estimator.gradient(problem, params, estimator.draw(problem, params, 2, IID(0, dtype=torch.float64)))


@pytest.mark.parametrize("spec", MOVING)
@pytest.mark.parametrize("made", [Whole(), Alone(), Batched()], ids=lambda made: type(made).__name__)
def test_a_batch_of_one_replicate_serves_moved_copies_of_it(made: LatentVariableProblem, spec: str) -> None:
    """The same as data that all replicates share."""
    part = made.batch(torch.tensor([CHOSEN]))
    shared = made.conditioned(made.observation[CHOSEN], made.num_data / len(CHOSEN))
    params = {name: value.requires_grad_() for name, value in made.initial_params().items()}
    taught = []
    for problem in (part, shared):
        estimator = make_estimator(spec)
        noise = estimator.draw(problem, replicated(params, 1), 2, IID(1, dtype=torch.float64))
        taught.append(estimator.update(problem, replicated(params, 1), noise))
    found, wanted = (gradient(one, problem) for one, problem in zip(taught, (part, shared), strict=True))
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_a_moving_average_of_all_data_serves_batches_of_any_size() -> None:
    """Each variable has the mean of its own averages."""
    made = Parts()
    average = torch.tensor([1.0, 2.0, 6.0, 10.0, 20.0, 30.0], dtype=torch.float64).unsqueeze(1)
    known = MovingAverage(average=average)
    for chosen in ([2, 0], [1, 1, 0, 2]):
        part = made.batch(torch.tensor([chosen]))
        shared = torch.tensor([3.0] * len(chosen) + [20.0] * len(chosen), dtype=torch.float64).unsqueeze(1)
        found, wanted = (ScoreFunction(replace(known, average=value)) for value in (average, shared))
        for name, value in gradient(wanted, part).items():
            torch.testing.assert_close(gradient(found, part)[name], value)
        params = {name: value.requires_grad_() for name, value in made.initial_params().items()}
        assert found.step(part, params, 2)[1] is not found


def test_what_has_learned_from_all_data_alone_is_left_out_of_a_ranking_on_batches(short_fits: None) -> None:
    lax = "score-function:control_variate=lax"
    found = rank(Whole(), 2, estimators=["pathwise", lax], seconds=20, batch=2, progress=False)
    assert found.left_out == {lax: "it has learned from samples of 6 numbers, and a sample has 4 here"}
    assert not found.failed and [one.estimator for one in found.ranking] == ["pathwise"]
