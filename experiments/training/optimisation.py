"""The steps of a training run: parameters of all seeds, the optimiser, and what the estimator has learned."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.interface import Problem, batch_of, computed_once
from estimators.learning.state import learned_state, with_learned_state
from estimators.noise import IID, derive_seed
from estimators.sampling.unchecked import without_validation
from experiments.gradients.mini_batches import chosen, require_data
from experiments.gradients.problem_checks import check_batch, usable_batch
from experiments.gradients.steps import Eager
from experiments.gradients.workload import Workload, flatten
from experiments.training.settings import Train

__all__ = ["Optimisation", "stays"]

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
DRAWS = 16
"""The number of gradients at a recorded point, whose variance is that of the estimator there."""
FAR = 10.0
"""A seed has diverged where its objective is not finite, or above its first value by this many times (1 + its size)."""


def stays(objective: Tensor, first: Tensor) -> Tensor:
    """Which seeds have not diverged, by their objectives now and at the start."""
    return objective.isfinite() & (objective <= first + FAR * (1 + first.abs()))


class Optimisation:
    """A training run. Each step has streams of noise of its own, so that nothing but this state decides how it goes on.

    Raises `Unsupported` where mini-batches are wanted and there is no data; ValueError where a mini-batch is not what
    the interface says.
    """

    def __init__(self, workload: Workload, settings: Train) -> None:
        self.workload, self.settings, self.step = workload, settings, 0
        if settings.batch:
            require_data(workload.problem)
        self.in_batches = self._in_batches()
        self.estimator = workload.estimator
        self.params = {
            name: value.expand(settings.seeds, *value.shape).clone().requires_grad_()
            for name, value in workload.point.items()
        }
        optimizer = OPTIMIZERS[settings.optimizer]
        self.optimizer = optimizer(list(self.params.values()), lr=settings.learning_rate)
        self.first: Tensor | None = None
        self.alive = torch.ones(settings.seeds, dtype=torch.bool)

    def advance(self) -> None:
        """One step: mini-batch, noise, gradient, optimiser, and what the estimator learns from it."""
        with without_validation():
            step = self._step()
            before = {name: value.detach().clone() for name, value in self.params.items()}
            noise = step.noise(before, self._source("step"))
            for name, gradient in step.gradient(before, noise).items():
                self.params[name].grad = gradient
            self.optimizer.step()
            with computed_once():
                self.estimator = self.estimator.update(step.problem, before, noise)
        self.step += 1

    def record(self) -> list[dict[str, Any]]:
        """A row for each quantity and seed that has not diverged."""
        with without_validation():
            found = self._evaluate()
            objective = found["objective"]
            if self.first is None:
                self.first = objective
            alive = self.alive & stays(objective, self.first)
            found["gradient_variance"] = self._gradient_variance()
        rows = self._rows("diverged", torch.ones_like(objective), self.alive & ~alive)
        self.alive = alive
        return rows + [row for name, values in found.items() for row in self._rows(name, values, alive)]

    @property
    def identity(self) -> str:
        """All that defines the curves, in words, by which the state of one run is told from another's."""
        work = self.workload
        names = (self.estimator.spec, work.problem.spec, work.num_samples, work.seed, work.device, work.dtype)
        return f"{' · '.join(map(str, names))} · {self.settings}"

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on, as tensors, numbers and text."""
        return {
            "step": self.step,
            "params": {name: value.detach() for name, value in self.params.items()},
            "optimizer": self.optimizer.state_dict(),
            "learned": learned_state(self.estimator),
            "first": self.first,
            "alive": self.alive,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.step, self.first, self.alive = state["step"], state["first"], state["alive"]
        with torch.no_grad():
            for name, value in state["params"].items():
                self.params[name].copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.estimator = with_learned_state(self.estimator, state["learned"])

    def _evaluate(self) -> dict[str, Tensor]:
        exact = {name: value.detach().double() for name, value in self.params.items()}
        problem = self.workload.problem.to(self.workload.device, torch.float64)
        source = IID(derive_seed(self.workload.seed, "evaluation"), self.workload.device, torch.float64)
        with torch.no_grad():
            return {name: value.cpu() for name, value in problem.evaluate(exact, source).items()}

    def _gradient_variance(self) -> Tensor:
        step, source = self._step(), self._source("variance")
        point = {name: value.detach() for name, value in self.params.items()}
        return torch.stack([flatten(step(point, source)) for _ in range(DRAWS)]).double().var(0).sum(1).cpu()

    def _step(self) -> Eager:
        """The gradient of this step, on its mini-batch, by the estimator as it has learned so far."""
        return Eager(self._batch(), self.estimator, self.workload.num_samples)

    def _in_batches(self) -> bool:
        """Whether steps are on batches; all data need not come as one.

        ValueError: mini-batches are wanted, and do not keep to the interface.
        """
        problem, size = self.workload.problem, self.settings.batch
        with without_validation():
            if size:
                check_batch(problem, self.workload.point, size)
            return bool(size or usable_batch(problem, self.workload.point, problem.num_data))

    def _batch(self) -> Problem:
        """The problem on the data of this step: for each seed data points of its own, none of them twice."""
        problem, size = self.workload.problem, self.settings.batch
        if not self.in_batches:
            return problem
        keys = self._source("batch").uniform((self.settings.seeds, problem.num_data))
        return batch_of(problem, chosen(keys, size or problem.num_data))

    def _source(self, purpose: str) -> IID:
        return self.workload.source(purpose, self.step)

    def _rows(self, quantity: str, values: Tensor, chosen: Tensor) -> list[dict[str, Any]]:
        return [
            {"quantity": quantity, "step": self.step, "replicate": replicate, "value": value}
            for replicate, (value, use) in enumerate(zip(values.tolist(), chosen.tolist(), strict=True))
            if use
        ]
