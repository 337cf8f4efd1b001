"""What a program is: a model of several random variables, written for one sample."""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Params, Problem, ScoredSamples, start
from estimators.interface.once import keep, once
from estimators.programs.apart import put_together, taken_apart
from estimators.programs.credit import costs_to_go
from estimators.programs.joint import Joint
from estimators.programs.names import check_names
from estimators.programs.paths import all_paths, joined_paths
from estimators.programs.runs import Choice, Collect, Own, along_path, fixed, given, runs
from estimators.programs.variables import Layout, found_variables
from estimators.programs.visits import Trace
from estimators.sampling.families import Drawn

__all__ = ["Program"]

Scored = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The log-density of each variable and the costs in the order of the run, each `[S, *B]`."""


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
    D]`, of the distribution `Joint`. Every run asks for the same variables in the same turn. `torch.func.vmap` maps
    `run` over samples and replicates; with `mapped = False` it is called for one at a time.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_names(cls, Program)

    @abstractmethod
    def run(self, params: Any, sample: Callable[..., Any]) -> Any:
        """One run, with one set of parameters and without axes of samples or replicates.

        `sample(name, q)` is the value of a variable of a torch distribution; dimensions of its batch are taken for
        dimensions of the event. Returns the cost, one number; or yields costs, each as soon as it is known: what is
        yielded before a variable is asked for does not depend on it.

        `sample(name, q, state=s, counts=c)`: what a baseline may know before it; c = 0 where an answer ended before it.
        `sample(name, q, prior=p)`: the variable is latent, and log q − log p of its value is a cost that is paid by
        itself; with `prior="later"` log q is, and −log p will be among the costs that are yielded.
        """

    @property
    def opaque(self) -> bool:
        return not (self.mapped or self.differentiable)

    @cached_property
    def layout(self) -> Layout:
        """Its variables, found by running it at the start in float64."""
        moved: Any = super().to("cpu", torch.float64)
        found = found_variables(moved.run, start(self), self.mapped, moved.first_point, self.differentiable)
        return moved.checked(found)

    @property
    def mapped_data(self) -> Tensor | None:
        """Data points, `[N, X]` or `[R, N, X]`, of which each run has one; None: there are none."""
        return None

    @property
    def first_point(self) -> tuple[Tensor, ...]:
        """What a run is given beside parameters and `sample`, for one of the data points."""
        return ()

    def checked(self, layout: Layout) -> Layout:
        """What is known of it. ProgramError: it is not what a program of its kind has to be."""
        return layout

    def batch_of(self, params: Params) -> torch.Size:
        """The axes of runs of one sample: `[R]`, or `[R, N]` where there are data points."""
        return torch.Size([len(next(iter(params.values())))])

    def of_samples(self, each: Float[Tensor, "S *B"]) -> Float[Tensor, "S R"]:
        """A figure of each sample, of one for each of its runs."""
        return each

    def of_variables(self, each: Float[Tensor, "S V *B"]) -> Float[Tensor, "S W R"]:
        """Figures of all variables of a sample, of those in each of its runs."""
        return each

    def weighed(self, each: Tensor) -> Tensor:
        """A figure of each run, times the weight of its cost in that of the sample."""
        return each

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

    def distribution(self, params: Params) -> Distribution:
        return self.of_all(params)

    @final
    def of_all(self, params: Params) -> Distribution:
        """The distribution of all variables of a run, with the batch `batch_of(params)`."""
        if not self.layout.alone:
            return Joint(self, params)
        found = once(lambda: self._tensors(params, (), ()), ("first", id(self)), list(params.values()))
        axes = len(self.batch_of(params))
        return put_together(self.layout.variables[0].q, [tensor.squeeze(0) for tensor in found], axes)

    @final
    def conditional(self, params: Params, choices: Sequence[Choice], own: Sequence[Own]) -> Distribution:
        """The distribution of the variable after those that are chosen, with all runs in its batch, `[S·R]`."""
        found = [each.flatten(0, len(self.batch_of(params))) for each in self._tensors(params, choices, own)]
        return put_together(self.layout.variables[len(choices)].q, found)

    def _tensors(self, params: Params, choices: Sequence[Choice], own: Sequence[Own]) -> list[Tensor]:
        """What the distribution of the variable after those that are chosen is made of, each `[S, *B, *shape]`."""
        return self.runs(params, choices, own, lambda trace: taken_apart(trace.visits[-1].q))

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return self.of_samples(torch.stack(self.each_cost(x, params)).sum(0))

    def cost_of(self, samples: Drawn, params: Params) -> Float[Tensor, "S R"]:
        return self.cost(samples.x, params)

    @final
    def each_cost(self, x: Tensor, params: Params) -> tuple[Tensor, ...]:
        """The costs of given values, each `[S, *B]`."""
        x = x.detach() if x.requires_grad and not self.differentiable else x  # NumPy takes no other

        def compute() -> tuple[Tensor, ...]:
            own = [(x,)] if self.layout.alone else self.layout.values(x)
            return self.runs(params, [given] * len(own), own, self.costs_of)

        return once(compute, ("costs", id(self)), [x, *params.values()])

    @final
    def log_density(self, params: Params, x: Tensor, *made_of: Tensor) -> Float[Tensor, "S *B"]:
        """log q of joint values, but for terms without parameters of variables that are not latent."""
        return torch.stack(self.scored(params, x, *made_of)[0]).sum(0)

    @final
    def scored(self, params: Params, x: Tensor, *made_of: Tensor) -> Scored:
        """The log-densities and costs of joint values, and of what they are made of: see `Drawn`."""

        def compute() -> Scored:
            own = self.layout.values(x, *made_of)
            found = self.runs(params, [given] * len(own), own, self._scored_of)
            keep(found[1], ("costs", id(self)), [x, *params.values()])
            return found

        return once(compute, ("scored", id(self)), [x, *made_of, *params.values()])

    @final
    def drawn(self, params: Params, noise: Tensor) -> tuple[Tensor, ...]:
        """The joint values of noise, detached, and what they are made of. Their costs come from the same runs."""
        own = self.layout.noise(noise)

        def collect(trace: Trace) -> Any:
            return _values_of(trace), self._scored_of(trace)

        values, found = self.runs(params, [fixed] * len(own), own, collect)
        joined = self.layout.joined_values(values, noise)
        keep(found[1], ("costs", id(self)), [joined[0], *params.values()])
        whole = len(self.layout.latent) == len(own)  # then nothing is left out of the densities
        for known in (joined, joined[:1]) if whole else (joined,):
            keep(found, ("scored", id(self)), [*known, *params.values()])
        return joined

    @final
    def moved_along(self, params: Params, noise: Tensor) -> Tensor:
        """The joint values of noise as functions of the parameters. Their costs come from the same runs."""
        own = self.layout.noise(noise)

        def collect(trace: Trace) -> Any:
            found = self._scored_of(trace) if self.layout.latent else ((), self.costs_of(trace))
            return _values_of(trace), found

        values, (densities, costs) = self.runs(params, [along_path] * len(own), own, collect)
        (x,) = self.layout.joined_values(values, noise)
        keep(costs, ("costs", id(self)), [x, *params.values()])
        if densities:
            keep((densities, costs), ("scored", id(self)), [x, *params.values()])
        return x

    @final
    def runs(self, params: Params, choices: Sequence[Choice], own: Sequence[Own], collect: Collect) -> Any:
        """What is collected of runs, each tensor `[S, *B, *shape]`: see `runs.py`."""
        return runs(self.run, params, choices, own, collect, self.mapped, self.mapped_data)

    def costs_of(self, trace: Trace) -> tuple[Tensor, ...]:
        """The costs of a whole run. ProgramError: they are others than at the start."""
        return self.layout.paid(trace)

    def _scored_of(self, trace: Trace) -> Scored:
        return tuple(visit.log_density() for visit in trace.visits), self.costs_of(trace)

    def credited(self, samples: ScoredSamples) -> ScoredSamples:
        """Each variable with the costs of its run that are known after it; the scores have the weight of the run."""
        if self.layout.alone and self.mapped_data is None:
            return samples
        costs, log_q, variables = self._credits(samples)
        cost, score = self.of_variables(costs), self.weighed(self.of_variables(log_q - log_q.detach()))
        return dataclasses.replace(samples, cost=cost, score=score, variables=variables, point_weight=1.0)

    def _credits(self, samples: ScoredSamples) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        """The costs after each variable and its log-density, `[S, V, *B]`, and the places of the variables."""
        if self.layout.alone:
            cost = torch.stack(self.each_cost(samples.x, samples.params)).sum(0)
            return cost.detach().unsqueeze(1), samples.drawn.log_prob(self.of_all(samples.params)).unsqueeze(1), (0,)
        densities, costs = self.scored(samples.params, *samples.drawn.parts)
        credit = costs_to_go(costs, self.layout.known_after, len(densities)).transpose(0, 1)
        return credit, torch.stack(densities, 1), tuple(range(len(densities)))

    def support(self, params: Params) -> Tensor | None:
        """All paths of a program whose variables are discrete, where there are few enough."""
        some, found = next(iter(params.values())), all_paths(self.layout)
        return None if found is None else joined_paths(self.layout, found, some, self.batch_of(params))


def _values_of(trace: Trace) -> list[Own]:
    return [visit.drawn.parts for visit in trace.visits if visit.drawn is not None]
