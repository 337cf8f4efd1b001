"""Problems of each kind whose x has any event shape; their exact gradients where x is one number."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from estimators.interface import LatentVariableProblem, Params, Problem, replicated

__all__ = ["KINDS", "Bits", "Choice", "LatentBits", "LatentNumbers", "Numbers", "Shaped", "exact_gradient"]

Shape = tuple[int, ...]


def spread(level: float, shape: Shape) -> Tensor:
    """Values about a level; the level alone for one number."""
    entries = torch.Size(shape).numel()
    return (level + torch.linspace(0, 0.9, entries, dtype=torch.float64)).reshape(shape)


def vectors(x: Tensor) -> Tensor:
    """`[S, R, D]`, be the event a number, a vector or a matrix."""
    return x.reshape(*x.shape[:2], -1)


@dataclass(frozen=True)
class Shaped(Problem):
    """f = Σ log(1 + x²), and (Σ x)² / 20 where x are several."""

    shape: Shape = ()

    def initial_params(self) -> Params:
        return {"loc": spread(0.7, self.shape), "log_scale": torch.tensor(-0.2, dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        """A scalar parameter beside one of the event's shape."""
        return td.Independent(self.each(params["loc"], beside(params["log_scale"], params["loc"])), len(self.shape))

    def each(self, loc: Tensor, log_scale: Tensor) -> td.Distribution:
        return td.Normal(loc, log_scale.exp())

    def cost(self, x: Tensor, params: Params) -> Tensor:
        v = vectors(x).to(next(iter(params.values())).dtype)
        return (v**2).log1p().sum(-1) + together(v)

    def nodes(self) -> Tensor:
        """All states of a number, or points at equal distances."""
        return torch.linspace(-12, 14, 4001, dtype=torch.float64)

    def expected_cost(self, params: Params) -> Tensor | None:
        if torch.Size(self.shape).numel() > 1:
            return None
        x = self.nodes().reshape(-1, 1, *self.shape)
        mass = self.distribution(params).log_prob(x).exp()
        return (mass / mass.sum(0) * self.cost(x, params)).sum(0)


def together(v: Tensor) -> Tensor:
    """(Σ x)² / 20 where x are several."""
    return v.sum(-1) ** 2 / 20 if v.shape[-1] > 1 else torch.zeros_like(v[..., 0])


def beside(value: Tensor, like: Tensor) -> Tensor:
    return value.reshape(-1, *[1] * (like.ndim - 1)).expand_as(like)


@dataclass(frozen=True)
class Numbers(Shaped):
    """Gaussian x."""


@dataclass(frozen=True)
class Moving(Shaped):
    """Gaussian x and a cost with a vector of parameters of its own."""

    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        return super().initial_params() | {"target": torch.tensor([0.3, -0.4], dtype=torch.float64)}

    def cost(self, x: Tensor, params: Params) -> Tensor:
        v, target = vectors(x), params["target"]
        return ((v - target[:, :1]) ** 2).sum(-1) / 3 + (v.sum(-1) * target[:, 1]).cos()


@dataclass(frozen=True)
class Positive(Shaped):
    """Gamma-distributed x, whose pathwise derivatives are implicit."""

    def each(self, loc: Tensor, log_scale: Tensor) -> td.Distribution:
        return td.Gamma((loc + 0.4).exp(), (-log_scale).exp())

    def nodes(self) -> Tensor:
        return torch.linspace(1e-6, 40, 8001, dtype=torch.float64)


@dataclass(frozen=True)
class Counts(Shaped):
    """Poisson-distributed x."""

    differentiable: ClassVar[bool] = False

    def initial_params(self) -> Params:
        return {"log_rate": spread(0.7, self.shape)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Poisson(params["log_rate"].exp()), len(self.shape))

    def nodes(self) -> Tensor:
        return torch.arange(60, dtype=torch.float64)


@dataclass(frozen=True)
class Bits(Shaped):
    """Binary x, f = Σ (x − 0.3)² in place of the logarithm."""

    def initial_params(self) -> Params:
        return {"logit": spread(0.7, self.shape)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Bernoulli(logits=params["logit"]), len(self.shape))

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return ((vectors(x) - 0.3) ** 2).sum(-1) + together(vectors(x))

    def nodes(self) -> Tensor:
        return torch.arange(2, dtype=torch.float64)


@dataclass(frozen=True)
class Choice(Shaped):
    """The number of one of four classes."""

    differentiable: ClassVar[bool] = False

    def initial_params(self) -> Params:
        return {"logits": spread(-0.4, (*self.shape, 4)).sin()}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Categorical(logits=params["logits"]), len(self.shape))

    def nodes(self) -> Tensor:
        return torch.arange(4)


@dataclass(frozen=True)
class LatentNumbers(LatentVariableProblem):
    """A Gaussian z of any shape for each of three data points, whose prior has a scalar parameter."""

    shape: Shape = ()
    observation: Tensor = field(init=False)
    encoder: ClassVar[tuple[str, ...]] = ("loc", "slope")

    def __post_init__(self) -> None:
        object.__setattr__(self, "observation", torch.tensor([[0.5], [-1.2], [2.0]], dtype=torch.float64))

    def initial_params(self) -> Params:
        loc, slope = spread(0.1, self.shape), torch.tensor(-0.3, dtype=torch.float64)
        return {"prior": torch.tensor(0.2, dtype=torch.float64), "loc": loc, "slope": slope}

    def seen(self, params: Params) -> Tensor:
        """`[R, N, 1, …]`."""
        return self.observation[..., 0].expand(len(params["loc"]), -1)[(..., *[None] * len(self.shape))]

    def posterior(self, params: Params) -> td.Distribution:
        loc = params["loc"].unsqueeze(1) + 0.5 * self.seen(params)
        return td.Independent(self.each(loc, beside(params["slope"], loc)), len(self.shape))

    def each(self, loc: Tensor, slope: Tensor) -> td.Distribution:
        return td.Normal(loc, slope.exp())

    def log_joint(self, z: Tensor, params: Params) -> Tensor:
        v = z.reshape(*z.shape[:3], -1)
        prior = -((v - params["prior"].reshape(-1, 1, 1)) ** 2).sum(-1) / 2
        return prior - (self.seen(params).flatten(1) - (v + v.sin()).sum(-1)) ** 2 / 2

    def nodes(self) -> Tensor:
        return torch.linspace(-12, 12, 2001, dtype=torch.float64)

    def expected_cost(self, params: Params) -> Tensor | None:
        if torch.Size(self.shape).numel() > 1:
            return None
        z = self.nodes().reshape(-1, 1, 1, *self.shape).expand(-1, len(params["loc"]), 3, *self.shape)
        mass = self.posterior(params).log_prob(z).exp()
        return -(mass / mass.sum(0) * self.log_weights(z, params)).sum((0, 2))


@dataclass(frozen=True)
class LatentBits(LatentNumbers):
    """Binary z."""

    def each(self, loc: Tensor, slope: Tensor) -> td.Distribution:
        return td.Bernoulli(logits=loc - slope)

    def nodes(self) -> Tensor:
        return torch.arange(2, dtype=torch.float64)


KINDS = (Numbers, Moving, Positive, Counts, Bits, Choice, LatentNumbers, LatentBits)


def exact_gradient(problem: Problem) -> Tensor:
    found = problem.exact_gradient(replicated(problem.initial_params(), 1))
    assert found is not None
    return torch.cat([value.flatten() for value in found.values()])
