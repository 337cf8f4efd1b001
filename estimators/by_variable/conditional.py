"""A variable of a program, given those before it, as a problem of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._pytree import tree_map

from estimators.interface import Params, Problem, start
from estimators.noise import IID
from estimators.programs import Program
from estimators.programs.apart import put_together, taken_apart
from estimators.programs.runs import Own, along_path, fixed, form_of, given, runs
from estimators.programs.visits import Trace
from estimators.sampling import families

__all__ = ["Conditional", "conditional_at_start", "parameters"]


def parameters(tensors: Sequence[Tensor]) -> Params:
    """What a distribution is made of, as the parameters of a problem."""
    return {str(place): tensor for place, tensor in enumerate(tensors)}


@final
@dataclass(frozen=True, eq=False)
class Conditional(Problem):
    """The costs after a variable, as a function of its value; its parameters are what its distribution is made of.

    Each replicate is a run of the program: the values before the variable are given, and the noise of those after it is
    common to all of its values.
    """

    cost_depends_on_params: ClassVar[bool] = False
    program: Program
    index: int
    q: Distribution
    """That of the variable in one run: its kind and shape."""
    at: Params
    """The parameters of the program for each run, `[B, *shape]`, detached."""
    before: tuple[Own, ...]
    """The values before it, each `[B, *]`, detached."""
    after: tuple[Own, ...]
    """The noise of the variables after it, each `[B, *]`."""
    data: Tensor | None = None
    """The data point of each run, `[B, X]`."""

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        """The costs are differentiable in the value, also through the variables after it."""
        later = self.program.layout.variables[self.index + 1 :]
        return self.program.differentiable and all(form_of(variable.q).differentiable for variable in later)

    def initial_params(self) -> Params:
        return parameters([tensor.detach() for tensor in taken_apart(self.q)])

    def distribution(self, params: Params) -> Distribution:
        return put_together(self.q, list(params.values()))

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        later = [form_of(variable.q) for variable in self.program.layout.variables[self.index + 1 :]]
        choices = [given] * (self.index + 1) + [along_path if form.differentiable else fixed for form in later]

        # Zeroth-order estimators ask at N points for each of the runs, which lie on the replicate axis as [N·B].
        points = len(x[0]) // len(next(iter(self.at.values())))

        def at_points(tensor: Tensor) -> Tensor:
            return tensor if points == 1 else tensor.repeat(points, *[1] * (tensor.ndim - 1))

        def for_samples(own: Any) -> Any:
            return tree_map(lambda tensor: at_points(tensor).expand(len(x), -1, *tensor.shape[1:]), own)

        own = [*for_samples(self.before), (x,), *for_samples(self.after)]
        at, run = {name: at_points(value) for name, value in self.at.items()}, self.program.run
        if self.data is None:
            costs = runs(run, at, choices, own, self._after_it, self.program.mapped)
            return torch.stack(costs).sum(0)
        one_each = tree_map(lambda tensor: tensor.unsqueeze(2), own)
        data = at_points(self.data).unsqueeze(1)
        costs = runs(run, at, choices, one_each, self._after_it, self.program.mapped, data)
        return torch.stack(costs).sum(0).squeeze(2)

    def _after_it(self, trace: Trace) -> tuple[Tensor, ...]:
        layout = self.program.layout
        paid = zip(layout.paid(trace), layout.known_after, strict=True)
        return tuple(cost for cost, before in paid if before > self.index)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Conditional":
        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)

        at, before, after = tree_map(moved, (self.at, self.before, self.after))
        data = None if self.data is None else moved(self.data)
        other = replace(self, program=self.program.to(device, dtype), at=at, before=before, after=after, data=data)
        object.__setattr__(other, "measured_in", dtype)
        return other


def conditional_at_start(program: Program, index: int) -> Conditional:
    """The problem of a variable at the start, in one run: what can be done with it."""
    if index not in program.at_start:
        program.at_start[index] = _conditional_at_start(program, index)
    return program.at_start[index]


def _conditional_at_start(program: Program, index: int) -> Conditional:
    least, params = program.on_least_data, start(program)
    assert isinstance(least, Program)
    moved = least.to("cpu", torch.float64)
    q, layout = moved.of_all(params), moved.layout
    joint = families.noise(q, 1, IID(0, dtype=torch.float64))
    with torch.no_grad():
        values, noise = layout.values(*moved.drawn(params, joint)), layout.noise(joint)
    axes = len(moved.batch_of(params))
    parts = (tuple(values[:index]), tuple(noise[index + 1 :]))
    before, after = tree_map(lambda tensor: tensor.flatten(0, axes), parts)
    found = Conditional(moved, index, layout.variables[index].q, params, before, after, moved.mapped_data)
    object.__setattr__(found, "measured_in", program.measured_in)
    return found
