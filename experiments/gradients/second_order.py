"""Second derivatives: the Hessian times one direction, whose estimates are measured as those of a gradient are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import (
    EXPECTED_COST,
    Estimator,
    Noise,
    Objective,
    Params,
    Problem,
    Unsupported,
    Wrapper,
    derivative,
    hessian_product,
)
from estimators.interface.problem import ENUMERATED
from estimators.noise import derive_seed
from estimators.registry import components, make_estimator
from estimators.sampling import families

__all__ = ["AlongDirection", "HessianProduct", "direction_of", "require_twice"]


@final
@dataclass(frozen=True)
class HessianProduct(Objective):
    """What is estimated: the Hessian of the expected cost times a direction.

    A run that measured it would need two mechanisms and a judge for second derivatives: there is none.
    """

    direction: Params = field(repr=False, compare=False)
    name: str = "Hessian of the expected cost along a direction"
    without_reference: str = "the expected cost is not known exactly, and no reference of second order is measured"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        point = {name: value.detach().double().requires_grad_() for name, value in params.items()}
        exact = problem.to(next(iter(point.values())).device, torch.float64)
        with torch.enable_grad():
            terms = [hessian_product(term, point, self.direction) for term in _terms(exact, point)]
        return {name: torch.stack([term[name] for term in terms]).sum(0) for name in point} if terms else None


@final
@dataclass(frozen=True)
class AlongDirection(Wrapper):
    r"""The derivative of the base's gradient estimate along a direction v, whose own gradient is $\hat H v$.

    The surrogate is $\langle \nabla s(\theta), v \rangle$ for that of the base, s. It has the spec of its base, and the
    same noise. The gradient is differentiated once more by reverse mode, which takes about as long again.
    """

    base: Estimator
    direction: Params = field(repr=False, compare=False)

    @property
    def spec(self) -> str:
        return self.base.spec

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        return HessianProduct(self.direction)

    def estimates_cost(self, problem: Problem) -> bool:
        return False

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        gradient = derivative(self.base.surrogate(problem, params, noise).sum(), params, differentiable=True)
        each = [(value * self.direction[name]).reshape(len(value), -1).sum(1) for name, value in gradient.items()]
        return torch.stack(each).sum(0)


def _terms(problem: Problem, params: Params) -> Iterator[Tensor]:
    """The expected cost, or if no formula gives it sums over blocks of states; nothing where it is unknown."""
    if (value := problem.expected_cost(params)) is not None:
        yield value.sum()
    elif (states := problem.summed_states(params)) is not None:
        for block in states.split(ENUMERATED):
            probability = families.probability(problem.distribution(params), block)
            yield (probability * problem.cost(block, params)).sum()


def direction_of(point: Params) -> Params:
    """A direction of norm 1, uniform on the sphere, which depends on the names and shapes of the parameters alone.

    All entries of the Hessian take part, and all seeds, estimators and dtypes have the same one.
    """
    shapes = [(name, *value.shape) for name, value in point.items()]
    generator = torch.Generator().manual_seed(derive_seed("direction", *shapes))
    drawn = {name: torch.randn(value.shape, generator=generator, dtype=torch.float64) for name, value in point.items()}
    norm = torch.stack([value.square().sum() for value in drawn.values()]).sum().sqrt()
    return {name: (value / norm).to(point[name]) for name, value in drawn.items()}


def require_twice(problem: Problem, estimator: Estimator, num_samples: int) -> None:
    """Raise `Unsupported` where second derivatives would be wrong, with the estimators whose are right."""
    reason = estimator.unsupported_twice(problem)
    if reason is None and estimator.objective(problem, num_samples) != EXPECTED_COST:
        reason = f"{estimator.spec} estimates another objective than the expected cost"
    if reason is not None:
        raise Unsupported(f"order=2: {reason}; {_advice(problem, num_samples)}")


def _advice(problem: Problem, num_samples: int) -> str:
    specs = [spec for made in components("estimator").values() for spec in made.variants()]
    plain = [made for made in map(make_estimator, specs) if not isinstance(made, Wrapper)]
    usable = (made for made in plain if made.refusal(problem, num_samples) is None)
    able = [made.spec for made in usable if made.unsupported_twice(problem) is None]
    return f"measure {', '.join(able)}" if able else "no estimator has right ones here"
