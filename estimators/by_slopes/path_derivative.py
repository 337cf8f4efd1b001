"""The path derivative of a negative ELBO."""

from dataclasses import dataclass
from typing import Literal, final

import torch.distributions as td
from jaxtyping import Float
from torch import Tensor

from estimators.by_slopes.written_out import parameters_of_q
from estimators.interface import Claim, Estimator, Noise, Params, Problem, Traits, VariationalProblem
from estimators.interface.refusals import differentiable_samples, passes_derivatives, score
from estimators.noise import NoiseSource
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.family import is_known

__all__ = ["PathDerivative"]


@final
@register_estimator("path-derivative")
@dataclass(frozen=True)
class PathDerivative(Estimator):
    r"""The derivative of a negative ELBO along the samples, without the score of q,

    $$\frac1S \sum_s \nabla_\theta \big[e(x_s, \theta) + w \log q(x_s; \mathrm{sg}\,\theta)\big], \qquad
      x_s = g(\epsilon_s, \theta),$$

    of a cost whose mean is $E[e] - w H[q]$ (`VariationalProblem`), such as $e = -\log p(y, x)$ of a latent-variable
    model. What is left out, $\nabla_\theta \log q(x; \theta)$ at fixed x, has mean zero. Where q is the posterior, its
    gradient is zero without any noise; where q is far from it, `entropy=closed-form` can have less noise: it takes
    $\nabla_\theta H[q]$ by its formula, which for a Gaussian q is what `pathwise` does.

    Of any other problem whose cost has $w \log q(x; \theta)$ written out, and no other part that the parameters of q
    reach at fixed x, the derivative in these parameters goes through x alone.

    Unbiased for the ELBO with any number of samples, structured ones too; `sticking-the-landing` has another target,
    the bound of K samples. Roeder, Wu & Duvenaud 2017.
    """

    entropy: Literal["path", "closed-form"] = "path"

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:entropy=closed-form"]

    @property
    def traits(self) -> Traits:
        return Traits("pathwise", leaves_score_out=self.entropy == "path")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, VariationalProblem) and (self.entropy != "path" or not parameters_of_q(problem)):
            return (
                f"{self.name} needs an entropy in the cost: a latent-variable problem, a VariationalProblem with "
                "energy(x, params), or (with entropy=path) log q(x) as all that the cost takes of the parameters of q"
            )
        q = problem.initial_distribution
        if reason := passes_derivatives(problem) or differentiable_samples(problem, families.path_form(q)):
            return reason
        return score(problem) if self.entropy == "path" else _without_entropy(q)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return "unbiased" if problem.differentiable else "biased"

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        q = problem.distribution(params)
        return families.find_path(q).noise(families.unwrap(q), num_samples, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        q = problem.distribution(params)
        x = families.find_path(q).sample(families.unwrap(q), noise)
        if not isinstance(problem, VariationalProblem):
            of_q = parameters_of_q(problem)
            assert of_q, "without them this would be pathwise"
            seen = {name: value.detach() if name in of_q else value for name, value in params.items()}
            return problem.cost(x, seen).mean(0)
        energy = problem.energy(x, params).mean(0)
        if self.entropy == "closed-form":
            return energy - problem.entropy_weight * q.entropy()
        # Every parameter of q is held fixed in log q, also one that the energy has too, which keeps its own derivative.
        fixed = problem.distribution({name: value.detach() for name, value in params.items()})
        return energy + problem.entropy_weight * families.log_prob(fixed, x).mean(0)


def _without_entropy(q: td.Distribution) -> str | None:
    """Why the entropy of q is not known, as a sentence; None: it is."""
    inner = families.unwrap(q)
    kind = type(inner).__name__
    if not (is_known(q) or "entropy" in vars(type(inner))):
        return f"{kind} has the entropy of a class whose law it does not keep"
    try:
        q.entropy()
    except NotImplementedError:
        return f"the entropy of {kind} has no closed form here: use path-derivative with entropy=path"
    return None
