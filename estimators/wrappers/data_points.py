"""A latent-variable problem seen data point by data point."""

import inspect
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, ClassVar, final

import torch
import torch.distributions as td
from jaxtyping import Float, Shaped
from torch import Tensor

from estimators.interface import LatentVariableProblem, Observed, Params
from estimators.programs.joint import Joint, unflattened
from estimators.sampling.families import Drawn
from estimators.sampling.family import known_kind

__all__ = ["DataPoints", "Flattened", "flattened"]


@final
@dataclass(frozen=True, eq=False)
class DataPoints(Observed):
    """R·N replicates, each with the cost of one data point: samples are `[S, R·N, *D]`, costs `[S, R·N]`.

    The N costs of a replicate share its parameters, which stay `[R, *shape]`: what an estimator makes of them has to
    go through `distribution` and `cost`.
    """

    whole: LatentVariableProblem
    cost_depends_on_params: ClassVar[bool] = True

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        return self.whole.differentiable

    @property
    def sampled_only(self) -> bool:  # pyright: ignore
        return self.whole.sampled_only

    def of_costs(self, each: Float[Tensor, "R N"]) -> Float[Tensor, " C"]:
        return each.flatten()

    @property
    def trials(self) -> dict[tuple[object, ...], Any]:  # pyright: ignore
        return self.whole.trials

    @property
    def measured_in(self) -> torch.dtype:  # pyright: ignore
        return self.whole.measured_in

    @property
    def on_least_data(self) -> "DataPoints":
        return DataPoints(self.whole.on_least_data)

    @property
    def observation(self) -> Shaped[Tensor, "*R N X"]:  # pyright: ignore
        return self.whole.observation

    @property
    def data_weight(self) -> float:  # pyright: ignore
        return self.whole.data_weight

    @cached_property
    def initial_distribution(self) -> td.Distribution:
        """q of the first data point at the start."""
        return flattened(_posterior(self.whole.on_least_data.initial_distribution))

    def initial_params(self) -> Params:
        return self.whole.initial_params()

    def distribution(self, params: Params) -> td.Distribution:
        return flattened(self.whole.posterior(params))

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return -self.data_weight * self.whole.log_weights(self._unflattened(x), params).flatten(1)

    def energy(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return -self.data_weight * self.whole.log_joint(self._unflattened(x), params).flatten(1)

    def cost_of(self, samples: Drawn, params: Params) -> Float[Tensor, "S R"]:
        return -self.data_weight * self.whole.log_weights(samples.map(self._unflattened), params).flatten(1)

    def credited(self, samples: Any) -> Any:
        found = self.whole.credits(samples.drawn.map(self._unflattened), samples.params)
        if found is None:
            return samples
        cost, log_q = (part.flatten(2) for part in found)
        return replace(samples, cost=cost, score=self.data_weight * (log_q - log_q.detach()), point_weight=1.0)

    def _unflattened(self, of_points: Tensor) -> Tensor:
        points = self.observation.shape[-2]
        return unflattened(of_points, (of_points.shape[1] // points, points))

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "DataPoints":
        return DataPoints(self.whole.to(device, dtype))  # type: ignore[arg-type]


def _posterior(q: td.Distribution) -> td.Distribution:
    """The distribution that `LatentVariableProblem.distribution` wraps."""
    assert isinstance(q, td.Independent)
    inner, left = q.base_dist, q.reinterpreted_batch_ndims - 1
    return td.Independent(inner, left, validate_args=False) if left else inner


def flattened(q: td.Distribution) -> td.Distribution:
    """The distribution with batch `[R, N]` as one with batch `[R·N]`; of the same class where that can be done."""
    if isinstance(q, Joint):
        return q.flattened()
    if isinstance(q, td.Independent):
        return td.Independent(flattened(q.base_dist), q.reinterpreted_batch_ndims, validate_args=False)
    kind: Any = known_kind(q)
    if kind is None or (parts := _batched(q, kind)) is None:
        return Flattened(q)
    return kind(**{name: part.flatten(0, 1) for name, part in parts.items()}, validate_args=False)


def _batched(q: td.Distribution, kind: type[td.Distribution]) -> dict[str, Tensor] | None:
    """The parameters that make q as one of a class, by name; None: not all are tensors with the batch `[R, N]`."""
    parts = {name: getattr(q, name, None) for name in _parameters(kind)}
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    alike = all(part.shape[:2] == q.batch_shape[:2] for part in tensors.values())
    return tensors if alike and tensors.keys() == parts.keys() else None


@cache
def _parameters(kind: type[td.Distribution]) -> list[str]:
    """The names of a class's parameters; of several that say the same, such as `probs` and `logits`, one."""
    redundant = {"self", "validate_args", "probs", "covariance_matrix", "precision_matrix"}
    return [name for name in inspect.signature(kind.__init__).parameters if name not in redundant]


class Flattened(td.Distribution):
    """Any distribution with batch `[R, N, …]` as one of batch `[R·N, …]`, by its own sampler and density."""

    arg_constraints = {}  # noqa: RUF012 # pyright: ignore

    def __init__(self, q: td.Distribution):
        self.q: Any = q
        self.has_rsample = q.has_rsample
        replicates, points, *rest = q.batch_shape
        super().__init__(torch.Size([replicates * points, *rest]), q.event_shape, validate_args=False)

    @property
    def support(self):  # pyright: ignore
        return self.q.support

    @property
    def mean(self) -> Tensor:
        return self.q.mean.flatten(0, 1)

    def sample(self, sample_shape=()) -> Tensor:
        return self.q.sample(sample_shape).flatten(len(sample_shape), len(sample_shape) + 1)

    def rsample(self, sample_shape=()) -> Tensor:
        return self.q.rsample(sample_shape).flatten(len(sample_shape), len(sample_shape) + 1)

    def log_prob(self, value: Tensor) -> Tensor:
        axis = value.ndim - len(self.batch_shape) - len(self.event_shape)
        return self.q.log_prob(value.unflatten(axis, self.q.batch_shape[:2])).flatten(axis, axis + 1)
