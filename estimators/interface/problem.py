"""What a problem is: a distribution, a cost, and a point."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeVar, final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.component import Component
from estimators.interface.moving import MOVED, moved_to
from estimators.interface.params import Params, derivative, replicated
from estimators.interface.parts import gathered
from estimators.noise import NoiseSource
from estimators.sampling import families

__all__ = ["Problem", "changed", "constant_cost", "mean_cost", "start"]

P = TypeVar("P", bound="Problem")
ENUMERATED = 2**14
"""States whose probabilities are differentiated at a time."""
EVALUATION_SAMPLES = 1_000
EVALUATED = 2**20
"""Element-samples that are evaluated at a time."""


class Problem(Component, ABC):
    """The objective E_{x ~ q(x; params)}[cost(x, params)], whose gradient is estimated.

    Data and constants are tensors among the attributes (dataclass fields with `init=False`), in float64 where they are
    floating point; `to` moves them.
    """

    differentiable: ClassVar[bool] = True
    """The cost is differentiable in x, with no jumps."""
    cost_depends_on_params: ClassVar[bool] = False
    """The cost reaches parameters by another way than the samples, as a decoder's; programs find that out."""
    sampled_only: ClassVar[bool] = False
    """The cost can be evaluated at what q draws at the current parameters and nowhere else: an environment, a user.

    Estimators that ask for other points (`Traits.elsewhere`) are refused, and no sum goes over `support`."""
    own_data: ClassVar[tuple["Problem", Tensor] | None] = None
    """Where each replicate has data of its own: of which problem, and the `[R, B]` in it; `batch_of` says so."""
    measured_in: ClassVar[torch.dtype] = torch.float32
    """The dtype that `to` moved the problem to: what fails in it is refused."""
    mapped: ClassVar[bool] = True
    """All samples and replicates are computed at once; if not, one at a time."""
    begins: ClassVar[str] = ""
    """Where it begins, if not at its own initial parameters: `started_at`."""
    made_by: ClassVar[str] = ""
    """How it is made in Python, if not by its class or by its name."""

    @property
    def opaque(self) -> bool:
        """The cost is computed outside of torch, and has no derivative in x at all."""
        return False

    @property
    def spec(self) -> str:
        """The canonical spec, followed by where the problem begins, if that is elsewhere."""
        return f"{super().spec}, {self.begins}" if self.begins else super().spec

    def initial_params(self) -> Params:
        """The point where gradients are measured: named tensors without the replicate axis.

        By default those of the `ReplicatedModule`s among the attributes; a problem with others too returns
        `super().initial_params() | {"mine": …}`.
        """
        return gathered(self, lambda part: part.initial_params())

    @final
    def module_params(self) -> Params:
        """The parameters that the modules among the attributes hold, under their names here: to train them in place."""
        return gathered(self, lambda part: part.module_params())

    @abstractmethod
    def distribution(self, params: Params) -> Distribution:
        """q(x; params), with batch shape `[R]` and event shape E."""

    @cached_property
    def initial_distribution(self) -> Distribution:
        """q at the start: what kind of x there is, for `unsupported`."""
        return self.to("cpu", torch.float64).distribution(start(self))

    @property
    def on_least_data(self) -> "Problem":
        """The problem where properties of q are tried: itself, or the same with less data."""
        return self

    @cached_property
    def refusals(self) -> dict[Any, str | None]:
        """What estimators have answered to whether they support this problem: `Estimator.require_support`."""
        return {}

    @cached_property
    def trials(self) -> dict[tuple[object, ...], Any]:
        """What was tried at the start, with what was found: a reason against it, as in `refusals.py`, or None."""
        return {}

    @abstractmethod
    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        """The costs of samples `[S, R, *E]`."""

    def cost_of(self, samples: families.Drawn, params: Params) -> Float[Tensor, "S R"]:
        """The costs of samples of which more is known than what they have rounded to; by default those of x."""
        return self.cost(samples.x, params)

    def jumps(self, params: Params) -> Float[Tensor, "J R *E"] | None:
        """All places where the cost jumps along a coordinate, J for each; None: unknown. `differentiable` is False."""
        return None

    def credited(self, samples: Any) -> Any:
        """Scored samples in which each cost stands beside the score that it weighs: those of a program by variable.

        Costs and scores `[S, V, R]` in place of `[S, R]`, where they are those of V variables.
        """
        return samples

    def support(self, params: Params) -> Tensor | None:
        """All K states of x, `[K, R, *E]`, where there are few enough; categorical states are one-hot."""
        return None

    def expected_cost(self, params: Params) -> Float[Tensor, " R"] | None:
        """E[cost] as a differentiable function of float64 parameters, by a formula or a quadrature; None: unknown.

        A problem with a `support` need not define it: `exact_cost` sums over the support.
        """
        return None

    @final
    def exact_cost(self, params: Params) -> Float[Tensor, " R"] | None:
        """`expected_cost`, or else the sum over `support`; None: unknown."""
        if (value := self.expected_cost(params)) is not None:
            return value
        states = self.summed_states(params)
        if states is None:
            return None
        return torch.stack([self._sum_over(block, params) for block in states.split(ENUMERATED)]).sum(0)

    def summed_states(self, params: Params) -> Tensor | None:
        """The states that the expected cost is summed over, where no formula gives it; None: it cannot be."""
        return None if self.sampled_only else self.support(params)

    def _sum_over(self, states: Tensor, params: Params) -> Float[Tensor, " R"]:
        return (families.probability(self.distribution(params), states) * self.cost(states, params)).sum(0)

    def exact_gradient(self, params: Params) -> Params | None:
        """The gradient of E[cost] in float64, one per replicate; None: unknown. By default that of `exact_cost`.

        ValueError: `expected_cost` is not `[R]`.
        """
        exact = {name: value.detach().double().requires_grad_() for name, value in params.items()}
        moved = self.to(next(iter(exact.values())).device, torch.float64)
        with torch.enable_grad():
            value = moved.expected_cost(exact)
            if value is None:
                return moved._enumerated_gradient(exact)
            wanted, shape = tuple(next(iter(exact.values())).shape[:1]), getattr(value, "shape", None)
            if shape != wanted:
                found = type(value).__name__ if shape is None else list(shape)
                raise ValueError(f"expected_cost of {self.spec} must be a tensor [R] = {list(wanted)}, not {found}")
            return derivative(value.sum(), exact)

    def _enumerated_gradient(self, params: Params) -> Params | None:
        """The gradient of the sum over `support`, by blocks of states: memory does not grow with their number."""
        states = self.summed_states(params)
        if states is None:
            return None
        blocks = [derivative(self._sum_over(block, params).sum(), params) for block in states.split(ENUMERATED)]
        return {name: torch.stack([block[name] for block in blocks]).sum(0) for name in params}

    @property
    def num_data(self) -> int:
        """The data points that `batch` chooses from; 0: the cost is not a sum over data."""
        return 0

    def batch(self, indices: Shaped[Tensor, "R B"]) -> "Problem":
        """The problem on a mini-batch of data points for each replicate: R parameters, each with data of its own.

        The cost is scaled so that over uniformly drawn indices its expectation is that of all data.
        ValueError: there is no data.
        """
        raise ValueError(f"{self.spec} has no data to draw mini-batches from")

    def evaluate(self, params: Params, source: NoiseSource) -> dict[str, Float[Tensor, " R"]]:
        """Figures of how good parameters are, for each replicate.

        `objective` is exact or from many samples; what else training should report stands beside it, e.g. the objective
        of held-out data.
        """
        expected = self.exact_cost(params)
        if expected is None:
            expected = mean_cost(self, params, EVALUATION_SAMPLES, source)
        return {"objective": expected}

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Problem":
        """This problem with its tensors on a device and its floating-point ones in a dtype.

        So are modules, as copies, and what tuples, lists and dictionaries hold; attributes of the class too.
        """
        assert self.trials is not None  # which the copy shares from here on
        moved, place = copy.copy(self), torch.device(device)
        object.__setattr__(moved, "measured_in", dtype)
        of_classes = [found for cls in reversed(type(self).__mro__) for found in vars(cls).items()]
        for name, value in (dict(of_classes) | vars(self)).items():
            may_move = isinstance(value, MOVED) and not name.startswith("__")
            if may_move and (placed := moved_to(value, place, dtype)) is not value:
                object.__setattr__(moved, name, placed)
        return moved


def changed(problem: P, known: Sequence[str], **attributes: object) -> P:
    """A copy with other attributes, without what was found out of those before."""
    other = copy.copy(problem)
    for name in known:
        vars(other).pop(name, None)
    for name, value in attributes.items():
        object.__setattr__(other, name, value)
    return other


def constant_cost(problem: Problem, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
    """The costs without a gradient. Grad mode is on: a cost may differentiate something inside."""
    constant = {name: _constant(value) for name, value in params.items()}
    with torch.enable_grad():
        return problem.cost(_constant(x), constant).detach()


def _constant(value: Tensor) -> Tensor:
    """Detached; the same object where it is, by which `once` knows it again."""
    return value.detach() if value.requires_grad else value


def mean_cost(problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Float[Tensor, " R"]:
    """The mean cost of fresh samples, in blocks: memory does not grow with their number."""
    q = problem.distribution(params)
    block, total = max(EVALUATED // (q.batch_shape.numel() * q.event_shape.numel()), 1), 0.0
    for first in range(0, num_samples, block):
        x = families.values(q, families.noise(q, min(block, num_samples - first), source))
        total = total + problem.cost(x, params).sum(0)
    return total / num_samples  # type: ignore[return-value]


def start(problem: Problem) -> Params:
    """The initial parameters as `[1, *shape]`, in float64 on the CPU: where properties of a problem are looked up."""
    return replicated({name: value.detach().cpu().double() for name, value in problem.initial_params().items()}, 1)
