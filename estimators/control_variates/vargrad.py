"""VarGrad: the gradient of the variance of the log-ratio."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.expansions import others
from estimators.interface import ControlVariate, Observed, Problem, ScoredSamples, Traits
from estimators.interface.refusals import at_least
from estimators.registry import register_control_variate

__all__ = ["VarGrad"]


@final
@register_control_variate("vargrad")
@dataclass(frozen=True)
class VarGrad(ControlVariate):
    r"""The variance of the log-ratio as the encoder's objective, at fixed samples.

    The encoder follows $\nabla_\phi \tfrac12 \widehat{\mathrm{Var}}_s[f_s]$ with $f = \log q(z|x) - \log p(x, z)$,

    $$\frac{1}{S-1} \sum_s (f_s - \bar f)\, \nabla_\phi \log q(z_s|x).$$

    That is `leave-one-out` without the direct term $\frac1S \sum_s \nabla_\phi f_s = \frac1S \sum_s \nabla_\phi \log
    q(z_s|x)$, whose mean is zero: it amounts to baselines that are larger by one. The model's gradient is the same in
    both. Where q is the posterior, $f_s$ is constant and the encoder's gradient has no noise; in `leave-one-out` the
    direct term leaves some.
    Unbiased for independent samples; S of at least 2, and a latent-variable problem.
    Richter, Boustati, Nüsken, Ruiz & Akyildiz 2020.
    """

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, Observed):
            return "vargrad needs a latent-variable problem, whose cost is a log-ratio"
        return at_least(2, num_samples, self.name)

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        return (others(samples.cost) + samples.point_weight) * samples.score
