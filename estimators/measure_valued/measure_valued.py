"""The measure-valued estimator: differences of the cost between the two parts of a weak derivative."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem, Traits, attached, start
from estimators.measure_valued.coordinates import costs_at
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.family import family_of, known_kind
from estimators.sampling.weak_derivatives import WeakDerivative

__all__ = ["MeasureValued"]

MAX_DIMENSIONS = 1024


@final
@register_estimator("measure-valued")
@dataclass(frozen=True)
class MeasureValued(Estimator):
    r"""Replaces one coordinate of the sample at a time by the two parts of its weak derivative,

    $$\nabla_\theta \mathbb{E}[f] \approx \sum_{i, \varphi} \nabla_\theta \varphi_i \cdot
      \frac{c_{\varphi_i}}{S} \sum_s \big( f(x_s[x_i \to x^+_{i, s}]) - f(x_s[x_i \to x^-_{i, s}]) \big),$$

    for each parameter $\varphi$ (loc, scale, rate, …) of each coordinate of a factorised q that depends on $\theta$.
    `coupled` pairs draw $x^+$ and $x^-$ together, else they are independent; the other coordinates are the same.
    Each of K categories is set against the last, which is evaluated once: K evaluations where a pair takes two.

    Unbiased for any cost. A cost that depends on $\theta$ keeps its direct term on S plain samples of q, whose mean is
    the value of the surrogate; without one its value is zero.
    Pflug 1996; Heidergott & Vázquez-Abad 2000; Mohamed et al. 2020, sec. 6.
    """

    coupled: bool = True

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at samples with one coordinate replaced")

    @classmethod
    def variants(cls) -> list[str]:
        return ["measure-valued", "measure-valued:coupled=false"]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = _initial(problem)
        family, dimensions = type(q).__name__, q.batch_shape.numel()
        derivatives = family_of(q).weak_derivatives
        if not derivatives:
            return f"no weak derivative of {family} is known here"
        kind: Any = known_kind(q)
        for name in kind.arg_constraints.keys() - derivatives.keys() - {"logits"}:
            if getattr(q, name).requires_grad:
                return f"the {name} of {family} depends on the parameters, and it has no weak derivative here"
        if dimensions > MAX_DIMENSIONS:
            return f"measure-valued goes over at most {MAX_DIMENSIONS} dimensions, not {dimensions}"
        return None

    def estimates_cost(self, problem: Problem) -> bool:
        return problem.cost_depends_on_params

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        q = _initial(problem)
        points = sum(found.count(q) for found in _learned(q).values()) * q.batch_shape.numel()
        return num_samples * (points + int(problem.cost_depends_on_params))

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = _with_gradients(problem, params)
        pairs = {
            name: found.noise(q, num_samples, source.stream(f"pairs of {name}"), self.coupled)
            for name, found in _learned(q).items()
        }
        return {"x": families.noise(q, num_samples, source), "pairs": pairs}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = families.unwrap(problem.distribution(params))
        with torch.no_grad():
            x = families.values(q, noise["x"])
        some = next(iter(params.values()))
        total = problem.cost(x, params).mean(0) if problem.cost_depends_on_params else some.new_zeros(len(some))
        for name, pairs in noise["pairs"].items():
            derivative, parameter = family_of(q).weak_derivatives[name], getattr(q, name)
            with torch.no_grad():
                slope = derivative.slope(q, costs_at(derivative.points(q, pairs, x), x, problem, params, q))
            total = total + attached(slope, parameter)
        return total


def _with_gradients(problem: Problem, params: Params) -> Any:
    """The factors of q, in which what depends on the parameters requires a gradient."""
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        return families.unwrap(problem.distribution(leaves))


def _initial(problem: Problem) -> Any:
    return _with_gradients(problem.to("cpu", torch.float64), start(problem))


def _learned(q: td.Distribution) -> Mapping[str, WeakDerivative]:
    """The weak derivatives in what depends on the parameters."""
    return {name: found for name, found in family_of(q).weak_derivatives.items() if getattr(q, name).requires_grad}
