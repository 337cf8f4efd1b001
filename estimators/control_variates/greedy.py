"""The cost of the most likely answer as baseline (ReMax)."""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.control_variates.answers import needs_a_policy
from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, Traits
from estimators.interface.problem import constant_cost
from estimators.programs import Program
from estimators.programs.credit import costs_to_go
from estimators.programs.visits import Trace
from estimators.registry import register_control_variate
from estimators.sampling.families import Drawn, unwrap
from estimators.sampling.family import states_of

__all__ = ["Greedy"]


@final
@register_control_variate("greedy")
@dataclass(frozen=True)
class Greedy(ControlVariate):
    r"""The cost of the greedy answer as baseline: at every variable the most likely state, given those before it.

    One more run, and so one more evaluation of the cost; S of 1 will do. Unbiased: the greedy answer does not depend on
    the samples. How much it helps depends on how near its cost is to the mean.
    For programs whose variables are discrete. Li, Xu, Zhang, Yu, Sun & Luo 2024 (ReMax).
    """

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at the greedy answer", costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := needs_a_policy(problem, self.name):
            return reason
        assert isinstance(problem, Program)
        some = [variable.name for variable in problem.layout.variables if states_of(variable.q) is None]
        return f'{self.name} needs discrete variables of finitely many states, unlike "{some[0]}"' if some else None

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return 1

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        program = samples.problem
        assert isinstance(program, Program)
        at = {name: value.detach() for name, value in samples.params.items()}
        x = _greedy(program, at)
        total = constant_cost(program, x, at)
        if not samples.variables:
            return total * samples.score
        known_after, variables = program.layout.known_after, len(program.layout.variables)
        after = [variables] * len(known_after) if samples.whole else known_after
        costs = costs_to_go(program.each_cost(x, at), after, variables).transpose(0, 1)
        return program.of_variables(costs) * samples.score


@torch.no_grad()
def _greedy(program: Program, params: Params) -> Tensor:
    """The joint values `[1, *B, D]` of the greedy answer."""

    def collect(trace: Trace) -> Any:
        return [visit.drawn.parts[:1] for visit in trace.visits if visit.drawn is not None]

    some, layout = next(iter(params.values())), program.layout
    own = [(some.new_zeros(1, *program.batch_of(params)),)] * len(layout.variables)
    found = program.runs(params, [_most_likely] * len(own), own, collect)
    return found[0][0] if layout.alone else layout.joined_values(found, some)[0]


def _most_likely(q: Distribution, nothing: Tensor) -> Drawn:
    inner, states = unwrap(q), states_of(q)
    assert states is not None
    return Drawn((states.samples(inner, states.log_probabilities(inner).argmax(-1)),))
