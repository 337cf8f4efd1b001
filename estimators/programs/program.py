"""What a program is: a model of several random variables, written for one sample."""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Params, Problem, ScoredSamples, start
from estimators.interface.once import keep, once
from estimators.programs.apart import put_together, taken_apart
from estimators.programs.joint import Joint
from estimators.programs.paths import all_paths
from estimators.programs.runs import Choice, Collect, Own, along_path, fixed, given, runs
from estimators.programs.variables import Layout, found_variables
from estimators.programs.visits import Trace
from estimators.sampling.families import Drawn

__all__ = ["Program"]

Scored = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The log-density of each variable and the costs in the order of the run, each `[S, R]`."""


class Program(Problem):
    """A model of one or several random variables: `run` says what one sample does, and gradmark does the rest.

        @register_problem("walk")
        @dataclass(frozen=True)
        class Walk(Program):
            def initial_params(self):
                return {"logit": torch.tensor(0.5)}

            def run(self, params, sample):
                position = 0.0
                for t in range(10):
                    position = position + 2 * sample(f"step{t}", Bernoulli(logits=params["logit"])) - 1
                    yield position**2

    A program of one variable is a problem like any other. One of several has their values side by side as x, `[S, R,
    D]`, of the distribution `Joint`. Every run asks for the same variables in the same turn.
    """

    mapped: ClassVar[bool] = True
    """`run` is mapped over samples and replicates by `torch.func.vmap`; if not, it is called for one at a time."""

    @abstractmethod
    def run(self, params: Any, sample: Callable[..., Any]) -> Any:
        """One run, with one set of parameters and without axes of samples or replicates.

        `sample(name, q)` is the value of a variable of a torch distribution; dimensions of its batch are taken for
        dimensions of the event. `sample(name, q, state=s)` says besides what a baseline may know before it. Returns the
        cost, one number; or yields costs, each as soon as it is known: what is yielded before a variable is asked for
        does not depend on it.
        """

    @property
    def opaque(self) -> bool:
        return not (self.mapped or self.differentiable)

    @cached_property
    def layout(self) -> Layout:
        """Its variables, found by running it at the start in float64."""
        return found_variables(super().to("cpu", torch.float64).run, start(self), self.mapped)  # pyright: ignore

    @property
    def cost_depends_on_params(self) -> bool:  # pyright: ignore
        """Whether a cost reaches the parameters by another way than the values, as seen in a run."""
        return self.layout.direct or not self.mapped

    @cached_property
    def at_start(self) -> dict[int, Any]:
        """What has been made of each variable at the start, by its place."""
        return {}

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Program":
        assert self.layout  # which the copy shares from here on
        return super().to(device, dtype)  # pyright: ignore[reportReturnType]

    @final
    def distribution(self, params: Params) -> Distribution:
        return self.conditional(params, (), ()) if self.layout.alone else Joint(self, params)

    @final
    def conditional(self, params: Params, choices: Sequence[Choice], own: Sequence[Own]) -> Distribution:
        """The distribution of the variable after those that are chosen, of batch `[S·R]`; of the first, `[R]`."""

        def compute() -> list[Tensor]:
            found = self._runs(params, choices, own, lambda trace: taken_apart(trace.visits[-1].q))
            return [tensor.flatten(0, 1) for tensor in found]

        first = () if choices else once(compute, ("first", id(self)), list(params.values()))
        return put_together(self.layout.variables[len(choices)].q, first or compute())

    @final
    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return torch.stack(self._costs(x, params)).sum(0)

    @final
    def cost_of(self, samples: Drawn, params: Params) -> Float[Tensor, "S R"]:
        return self.cost(samples.x, params)

    def _costs(self, x: Tensor, params: Params) -> tuple[Tensor, ...]:
        x = x if self.differentiable else x.detach()  # for NumPy

        def compute() -> tuple[Tensor, ...]:
            own = [(x,)] if self.layout.alone else self.layout.values(x)
            return self._runs(params, [given] * len(own), own, self._costs_of)

        return once(compute, ("costs", id(self)), [x, *params.values()])

    @final
    def log_density(self, params: Params, x: Tensor, *made_of: Tensor) -> Float[Tensor, "S R"]:
        """log q of joint values, but for terms without parameters."""
        return torch.stack(self.scored(params, x, *made_of)[0]).sum(0)

    @final
    def scored(self, params: Params, x: Tensor, *made_of: Tensor) -> Scored:
        """The log-densities and costs of joint values, and of what they are made of: see `Drawn`."""

        def compute() -> Scored:
            own = self.layout.values(x, *made_of)
            found = self._runs(params, [given] * len(own), own, self._scored_of)
            keep(found[1], ("costs", id(self)), [x, *params.values()])
            return found

        return once(compute, ("scored", id(self)), [x, *made_of, *params.values()])

    @final
    def drawn(self, params: Params, noise: Tensor) -> tuple[Tensor, ...]:
        """The joint values of noise, detached, and what they are made of. Their costs come from the same runs."""
        own = self.layout.noise(noise)

        def collect(trace: Trace) -> Any:
            return _values_of(trace), self._scored_of(trace)

        values, found = self._runs(params, [fixed] * len(own), own, collect)
        joined = self.layout.joined_values(values, noise)
        keep(found[1], ("costs", id(self)), [joined[0], *params.values()])
        keep(found, ("scored", id(self)), [*joined, *params.values()])
        return joined

    @final
    def moved_along(self, params: Params, noise: Tensor) -> Tensor:
        """The joint values of noise as functions of the parameters. Their costs come from the same runs."""
        own = self.layout.noise(noise)

        def collect(trace: Trace) -> Any:
            return _values_of(trace), self._costs_of(trace)

        values, costs = self._runs(params, [along_path] * len(own), own, collect)
        (x,) = self.layout.joined_values(values, noise)
        keep(costs, ("costs", id(self)), [x, *params.values()])
        return x

    def _runs(self, params: Params, choices: Sequence[Choice], own: Sequence[Own], collect: Collect) -> Any:
        return runs(self.run, params, choices, own, collect, self.mapped)

    def _costs_of(self, trace: Trace) -> tuple[Tensor, ...]:
        """The costs of a whole run. ProgramError: they are others than at the start."""
        self.layout.check(trace)
        return tuple(trace.costs)

    def _scored_of(self, trace: Trace) -> Scored:
        return tuple(visit.log_density() for visit in trace.visits), self._costs_of(trace)

    @final
    def credited(self, samples: ScoredSamples) -> ScoredSamples:
        """Each variable with the costs that are known after it: the others do not depend on it."""
        if self.layout.alone:
            return samples
        densities, costs = self.scored(samples.params, *samples.drawn.parts)
        detached = torch.stack([cost.detach() for cost in costs])
        after = [[before > index for before in self.layout.before] for index in range(len(densities))]
        credit = torch.einsum(
            "vc,csr->svr", torch.tensor(after, dtype=detached.dtype, device=detached.device), detached
        )
        log_q, variables = torch.stack(densities, 1), tuple(range(len(densities)))
        return dataclasses.replace(samples, cost=credit, score=log_q - log_q.detach(), variables=variables)

    @final
    def states(self, params: Params, x: Tensor) -> tuple[Tensor, ...]:
        """What the program says of its state before each variable, at joint values: `[S, R, F]`, detached."""
        at = {name: value.detach() for name, value in params.items()}

        def collect(trace: Trace) -> tuple[Tensor, ...]:
            return tuple(visit.features(x.new_zeros(())) for visit in trace.visits)

        with torch.no_grad():
            own = self.layout.values(x)
            return self._runs(at, [given] * len(own), own, collect)

    def support(self, params: Params) -> Tensor | None:
        """All paths of a program whose variables are discrete, where there are few enough."""
        found = all_paths(self.layout)
        if found is None:
            return None
        some = next(iter(params.values()))
        values = [value.to(some.device).unsqueeze(1) for value in found]
        if not self.layout.alone:
            values = self.layout.joined_values([(value,) for value in values], some)
        x = values[0].to(some.dtype) if values[0].is_floating_point() else values[0]
        return x.expand(-1, len(some), *x.shape[2:])


def _values_of(trace: Trace) -> list[Own]:
    return [visit.drawn.parts for visit in trace.visits if visit.drawn is not None]
