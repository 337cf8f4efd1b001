"""Gapped straight-through: straight-through Gumbel-softmax, with logits moved by rule in place of the noise."""

import math
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor
from torch.distributions import Distribution

from estimators.discrete.relaxations import check_temperature, relaxation
from estimators.discrete.relaxed_path import RelaxedPath, with_slope_of
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.families import unwrap
from estimators.sampling.family import is_binary
from estimators.sampling.states import finite_logits

__all__ = ["GappedStraightThrough"]


@final
@register_estimator("gapped-straight-through")
@dataclass(frozen=True)
class GappedStraightThrough(RelaxedPath):
    r"""Evaluates the cost at the sample D, and takes the derivative of a softmax whose largest entry is D's,

    $$\nabla x = \nabla_\theta\, \mathrm{softmax}((\ell + \mathrm{sg}(m)) / \tau), \qquad
      m = D \circ (\max \ell - \ell) - (1 - D) \circ (\ell - \max \ell + \gamma)_+,$$

    so that the logit of D is raised to the largest, and all others lie at least the `gap` $\gamma$ below it. Gumbel
    noise given D does much the same in `gumbel-softmax:hard=true`, at random. A bit is treated as two classes.
    Biased. Fan, Chi, Rudnicky & Ramadge 2022.
    """

    temperature: float = 1.0
    gap: float = 1.0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if not (math.isfinite(self.gap) and self.gap >= 0):
            raise ValueError(f"gap must be finite and not negative, not {self.gap}")

    def path_noise(self, q: Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return families.noise(q, num_samples, source)

    def path(self, q: Distribution, noise: Tensor) -> Tensor:
        inner: Any = unwrap(q)
        x, logits = families.values(q, noise).detach(), finite_logits(inner)
        held = logits.detach()
        moved = self._of_two(x, held) if is_binary(q) else self._of_classes(x, held)
        soft = relaxation(q).soft(logits + (moved - held), self.temperature)
        return with_slope_of(x, soft)

    def _of_classes(self, x: Tensor, logits: Tensor) -> Tensor:
        """The moved logits `[…, K]`: those of the sample's class at the largest, of the others below it."""
        top = logits.amax(-1, keepdim=True)
        return top - (1 - x) * (top - logits).clamp(min=self.gap)

    def _of_two(self, x: Tensor, logits: Tensor) -> Tensor:
        """The moved difference of two logits, which has the sign of the sample."""
        sign = 2 * x - 1
        return sign * (sign * logits).clamp(min=self.gap)
