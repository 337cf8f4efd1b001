"""Biased estimators through relaxed or substituted derivatives: Gumbel-softmax, straight-through, Rao-Blackwellized."""

from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.discrete.relaxations import check_temperature, refusal_to_relax, relaxation
from estimators.discrete.relaxed_path import RelaxedPath, with_slope_of
from estimators.interface import Claim, Estimator, Noise, Params, Problem, Traits
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.families import unwrap
from estimators.sampling.states import finite_logits

__all__ = ["GumbelSoftmax", "RaoBlackwellizedGumbelSoftmax", "StraightThrough"]


@final
@register_estimator("gumbel-softmax")
@dataclass(frozen=True)
class GumbelSoftmax(RelaxedPath):
    r"""The pathwise estimate of the relaxed problem, $\nabla_\theta f(\mathrm{softmax}((\log p + G) / \tau))$.

    Binary x is relaxed by the logistic distribution. `hard` evaluates the cost at the discrete sample and keeps the
    derivative of the relaxed one. Biased, the less the lower the temperature $\tau$, at the price of variance.
    Jang, Gu & Poole 2017; Maddison, Mnih & Teh 2017.
    """

    temperature: float = 0.5
    hard: bool = False

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    @classmethod
    def variants(cls) -> list[str]:
        return ["gumbel-softmax", "gumbel-softmax:hard=true"]

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="" if self.hard else "at relaxed samples")

    def path_noise(self, q: Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return source.uniform((num_samples, *q.batch_shape, *q.event_shape))

    def path(self, q: Distribution, noise: Tensor) -> Tensor:
        z = relaxation(q).perturbed(unwrap(q), noise)
        soft = relaxation(q).soft(z, self.temperature)
        return with_slope_of(relaxation(q).hard(z), soft) if self.hard else soft


@final
@register_estimator("straight-through")
@dataclass(frozen=True)
class StraightThrough(RelaxedPath):
    r"""Differentiates the cost at the discrete sample as if it moved with its mean, $\nabla x = \nabla \mathbb{E}[x]$.

    Biased, except for a cost that is linear in each variable. Bengio, Léonard & Courville 2013.
    """

    def path_noise(self, q: Distribution, num_samples: int, source: NoiseSource) -> Tensor:
        return families.noise(q, num_samples, source)

    def path(self, q: Distribution, noise: Tensor) -> Tensor:
        return with_slope_of(families.values(q, noise), q.mean)


@final
@register_estimator("rao-blackwellized-gumbel-softmax")
@dataclass(frozen=True)
class RaoBlackwellizedGumbelSoftmax(Estimator):
    r"""`gumbel-softmax:hard=true` with the relaxed derivative averaged over `draws` of z given the sample x,

    $$\frac{\partial f(x)}{\partial x} \cdot \frac1K \sum_k \nabla_\theta\, \mathrm{softmax}(z_k / \tau), \qquad
      z_k = \log p + \mathrm{sg}(\tilde z_k - \log p), \quad \tilde z_k \sim p(z \mid x).$$

    The same bias, and never more variance. One evaluation of the cost a sample. Paulus, Maddison & Krause 2021.
    """

    temperature: float = 0.5
    draws: int = 10

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, not {self.draws}")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return refusal_to_relax(problem)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "biased"

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        shape = (num_samples, *q.batch_shape, *q.event_shape)
        again = source.stream("conditional").uniform((num_samples * self.draws, *shape[1:]))
        return {"u": source.uniform(shape), "v": again.reshape(self.draws, *shape)}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = problem.distribution(params)
        relax = relaxation(q)
        inner: Any = unwrap(q)
        x = relax.hard(relax.perturbed(inner, noise["u"]))
        z = with_slope_of(relax.conditional(inner, x, noise["v"]), finite_logits(inner))
        return problem.cost(with_slope_of(x, relax.soft(z, self.temperature).mean(0)), params).mean(0)
