"""The forward gradient: the pathwise derivative along a random direction in the parameters, by forward mode."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Claim, Estimator, Noise, Params, Problem, Traits, repeated, start
from estimators.noise import IID, NoiseSource
from estimators.noise.directions import DIRECTIONS
from estimators.pathwise import Pathwise
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.zeroth_order.perturbations import attach, flatten, perturbed

__all__ = ["ForwardGradient"]

PATHWISE = Pathwise()


@final
@register_estimator("forward-gradient")
@dataclass(frozen=True)
class ForwardGradient(Estimator):
    r"""The derivative of each sample's cost along a direction $v_s$ of its own in all P entries of the parameters,

    $$\frac1S \sum_s (\nabla_\theta f(g(\epsilon_s, \theta), \theta) \cdot v_s)\, v_s, \qquad
      \mathbb{E}[v v^\top] = I,$$

    in forward mode: one evaluation gives the cost and the derivative, and nothing is kept for a backward pass. The
    second moment of one sample is P times that of `pathwise`, P + 2 times with `gaussian` directions, as in the paper.
    `orthogonal` directions are Gaussian each by itself, and of P in a row any two are orthogonal.
    Unbiased where `pathwise` is. Baydin, Pearlmutter, Syme, Wood & Torr 2022; orthogonal: Choromanski et al. 2018.
    """

    directions: Literal["rademacher", "gaussian", "orthogonal"] = "rademacher"

    @property
    def traits(self) -> Traits:
        return Traits("pathwise", structured=False, own_parameters=True)

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:directions=orthogonal"]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return PATHWISE.unsupported(problem, num_samples) or _no_forward_mode(problem)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return PATHWISE.claim(problem, num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        shape = (num_samples, *flatten(params).shape)
        directions = DIRECTIONS[self.directions](shape, source.stream("directions"))
        q = problem.distribution(params)
        if families.find(q).seeded:
            q = repeated(problem, num_samples).distribution(perturbed(params, torch.zeros_like(directions)))
            return {"directions": directions, "x": families.noise(q, 1, source)}
        return {"directions": directions, "x": PATHWISE.path_noise(q, num_samples, source)}

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        directions, x = noise["directions"], noise["x"]
        x = x.flatten(0, 1).unsqueeze(0) if x.ndim > 1 else x
        seen = repeated(problem, len(directions))

        def cost(shifts: Tensor) -> Tensor:
            moved = perturbed(params, shifts)
            return seen.cost(PATHWISE.path(seen.distribution(moved), x), moved)

        both = torch.func.jvp(cost, (torch.zeros_like(directions),), (directions,))
        value, rise = (one.reshape(directions.shape[:2]).detach() for one in both)
        return value.mean(0) + attach(params, (rise.unsqueeze(-1) * directions).mean(0))


def _no_forward_mode(problem: Problem) -> str | None:
    """Why the cost of a sample has no derivative in forward mode, which is tried once; None: it has."""
    key = type(problem), "forward mode"
    if key not in problem.trials:
        least, made = problem.on_least_data.to("cpu", torch.float64), ForwardGradient()
        params, problem.trials[key] = start(problem.on_least_data), None
        try:
            made.gradient(least, params, made.draw(least, params, 1, IID(0, dtype=torch.float64)))
        except (NotImplementedError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            problem.trials[key] = f"forward mode fails on {problem.spec}: {reason}"
    return problem.trials[key]
