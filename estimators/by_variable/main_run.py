"""The runs of a program in which each variable is drawn once: along its path, or as a constant."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._pytree import tree_map

from estimators.by_variable.conditional import Conditional, parameters
from estimators.interface import AlongPath, Estimator, Params, ScoredSamples, distinct
from estimators.programs import Program
from estimators.programs.apart import taken_apart
from estimators.programs.credit import costs_to_go
from estimators.programs.runs import Own, fixed
from estimators.programs.visits import Trace
from estimators.sampling.families import Drawn
from estimators.score_function import ScoreFunction

__all__ = ["MainRun", "by_path", "by_score", "main_run"]


def by_path(estimator: Estimator) -> TypeGuard[AlongPath]:
    """Whether the derivative of a variable is that of the costs along its path."""
    return isinstance(estimator, AlongPath)


def by_score(estimator: Estimator) -> TypeGuard[ScoreFunction]:
    """Whether it is that of its score, weighed by the costs of the same runs."""
    return isinstance(estimator, ScoreFunction) and estimator.control_variate.traits.costs_alone


@final
@dataclass(frozen=True)
class MainRun:
    """What S runs of each replicate came by."""

    program: Program
    params: Params
    noise: list[Own]
    values: list[Own]
    """The value of each variable, and what it is made of."""
    densities: list[Tensor]
    """The log-density of each variable at its value, `[S, *B]`; of one along its path, anything."""
    tensors: list[list[Tensor]]
    """What the distribution of each variable is made of, each `[S, *B, *]`."""
    costs: tuple[Tensor, ...]

    @property
    def each(self) -> Float[Tensor, "S *B"]:
        """The costs, with their derivative along paths and in the parameters themselves."""
        return torch.stack(self.costs).sum(0)

    @property
    def total(self) -> Float[Tensor, "S R"]:
        """The costs of each sample, with the same derivative."""
        return self.program.of_samples(self.each)

    def scored(self, indices: Sequence[int]) -> ScoredSamples:
        """Variables with their scores, and with the costs that are known after each of them."""
        layout = self.program.layout
        to_go = costs_to_go(self.costs, layout.known_after, len(layout.variables))
        credit = torch.stack([to_go[index] for index in indices], 1)
        credit = self.program.of_variables(credit)
        log_q = self.program.of_variables(torch.stack([self.densities[index] for index in indices], 1))
        x, q = self.program.layout.joined_values(self.values, self.total)[0], self.program.distribution(self.params)
        drawn, direct, point = Drawn((x.detach(),)), self.total, distinct(self.program, self.params)
        score, variables = self.program.weighed(log_q - log_q.detach()), tuple(indices)
        return ScoredSamples(self.program, self.params, q, point, x, drawn, direct, credit, score, variables)

    def conditional(self, index: int) -> tuple[Conditional, Params]:
        """A variable given those before it, in each of the S·R·N runs, and the parameters of its distribution there."""
        batch = self.costs[0].shape
        axes, data = len(batch), self.program.mapped_data

        def of_run(tensor: Tensor) -> Tensor:
            return tensor.detach().flatten(0, axes - 1)

        def for_runs(value: Tensor) -> Tensor:
            shared = value.reshape(1, len(value), *[1] * (axes - 2), *value.shape[1:])
            return of_run(shared.expand(*batch, *value.shape[1:]))

        at = {name: for_runs(value) for name, value in self.params.items()}
        before, after = tree_map(of_run, (self.values[:index], self.noise[index + 1 :]))
        variable = self.program.layout.variables[index]
        points = None if data is None else of_run(data.expand(*batch, data.shape[-1]))
        found = Conditional(self.program, index, variable.q, at, tuple(before), tuple(after), points)
        return found, parameters([tensor.flatten(0, axes - 1) for tensor in self.tensors[index]])


def main_run(program: Program, params: Params, noise: Sequence[Own], paths: Sequence[AlongPath | None]) -> MainRun:
    """Run a program on noise of each variable, which goes along the path of an estimator or is a constant."""

    def collect(trace: Trace) -> Any:
        values = [visit.drawn.parts for visit in trace.visits if visit.drawn is not None]
        whole = list(zip(paths, trace.visits, strict=True))
        paid = program.layout.paid(trace)
        densities = [visit.log_density() if path is None else paid[0] for path, visit in whole]
        tensors = [taken_apart(visit.q) if path is None else [] for path, visit in whole]
        return values, densities, tensors, paid

    choices = [fixed if path is None else partial(_along, path) for path in paths]
    return MainRun(program, params, list(noise), *program.runs(params, choices, noise, collect))


def _along(path: AlongPath, q: Distribution, noise: Tensor) -> Drawn:
    return Drawn((path.path(q, noise.unsqueeze(0)).squeeze(0),))
