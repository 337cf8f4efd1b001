"""ReinMax: the trapezoidal rule where straight-through takes the derivative at one end."""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.distributions import Distribution

from estimators.discrete.relaxed_path import RelaxedPath
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.events import beside
from estimators.sampling.families import unwrap
from estimators.sampling.family import states_of
from estimators.sampling.states import Marked

__all__ = ["ReinMax"]


@final
@register_estimator("reinmax")
@dataclass(frozen=True)
class ReinMax(RelaxedPath):
    r"""Differentiates the cost at the discrete sample D, and lets D move with half its mean and half its probability,

    $$\nabla x = \tfrac12 \big(\nabla \pi + (D - \pi)\, \nabla \log \pi_D\big).$$

    The exact gradient is $\sum_{D, k} \pi_D\, (f(k) - f(D))\, \nabla \pi_k$. Straight-through replaces each difference
    of costs by the derivative at D, along $k - D$; ReinMax takes the mean of the derivatives at D and at k, which is
    the trapezoidal rule. In the logits of one variable, with $g = \partial f / \partial D$ and
    $J(p)\, g = p \circ (g - p \cdot g)$, it is $2 J\big(\tfrac{\pi + D}{2}\big) g - \tfrac12 J(\pi)\, g$, as in the
    paper, at temperature 1. A bit is treated as two classes.

    Biased, except for a cost that is at most quadratic in each variable, the others fixed.
    Liu, Dong, Liu, Yu & Gao 2023.
    """

    def path_noise(self, q: Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return families.noise(q, num_samples, source)

    def path(self, q: Distribution, noise: Tensor) -> Tensor:
        x, states = families.values(q, noise).detach(), states_of(q)
        assert isinstance(states, Marked)
        chance = states.probability(unwrap(q), x)
        growth = beside((chance - chance.detach()) / chance.detach(), x)
        return x + (q.mean - q.mean.detach() + (x - q.mean.detach()) * growth) / 2
