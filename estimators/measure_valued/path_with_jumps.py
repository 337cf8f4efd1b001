"""The pathwise estimator, and what it is blind to: the mass that moves over the jumps of the cost."""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import Estimator, Noise, Params, Problem, Traits, attached, start
from estimators.interface.refusals import differentiable_samples
from estimators.measure_valued.coordinates import costs_at
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.implicit import Implicit

__all__ = ["PathWithJumps"]


@final
@register_estimator("path-with-jumps")
@dataclass(frozen=True)
class PathWithJumps(Estimator):
    r"""The pathwise derivative and, at each jump k of each coordinate, the mass that moves over it times its height,

    $$\frac1S \sum_s \Big( \nabla_\theta f(x_s) - \sum_{d, k} \nabla_\theta F_d(k; \theta)
      \big( f(x_s[x_d \to k^+]) - f(x_s[x_d \to k^-]) \big) \Big),$$

    where $F_d$ is the distribution function of $x_d$, so that $-\nabla_\theta F_d(k)$ is the density at the jump times
    the speed of x there. The problem has to state all jumps of its cost (`Problem.jumps`), and x to be independent
    coordinates with a distribution function that is differentiable. Two evaluations of the cost for each jump of each
    coordinate, beside that of the sample. Where a jump moves with the parameters, so does k in $F_d$.

    Unbiased where the cost is differentiable between its jumps.
    Lee, Yu & Yang 2018.
    """

    @property
    def traits(self) -> Traits:
        return Traits("pathwise", differentiates_samples=True, elsewhere="on both sides of its jumps")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if problem.jumps(start(problem)) is None:
            return f"{self.name} needs a problem that states the jumps of its cost: define jumps(params)"
        q = problem.initial_distribution
        if _distribution_function(q) is None:
            return f"{self.name} needs a distribution function, which {type(families.unwrap(q)).__name__} has not here"
        return differentiable_samples(problem)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        places = problem.jumps(start(problem))
        assert places is not None
        return num_samples * (1 + 2 * places.numel())

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        inner: Any = families.unwrap(problem.distribution(params))
        implicit, places = _distribution_function(inner), problem.jumps(params)
        assert implicit is not None and places is not None
        x = families.sample(inner, noise)
        with torch.no_grad():
            fixed = x.detach()
            sides = [torch.nextafter(places, torch.full_like(places, end)) for end in (torch.inf, -torch.inf)]
            points = torch.cat(sides).unsqueeze(1).expand(-1, *fixed.shape)
            above, below = costs_at(points, fixed, problem, params, inner).chunk(2)
        mass = implicit.cdf(inner, places)
        return problem.cost(x, params).mean(0) + attached((below - above).movedim(0, 1), mass.movedim(0, 1))


def _distribution_function(q: Distribution) -> Implicit | None:
    """The form that knows the distribution function of each coordinate, and its derivative."""
    found = families.forms(q).get("implicit")
    inner = families.unwrap(q)
    return found if isinstance(found, Implicit) and not inner.event_shape else None
