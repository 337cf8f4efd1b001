"""Structured sampling under any estimator."""

import math
from dataclasses import dataclass, field
from typing import Annotated, final

import torch

from estimators.interface import Claim, Estimator, Noise, Params, Problem, Wrapper, start
from estimators.interface.specs import OneOf
from estimators.noise import IID, NoiseSource
from estimators.noise.schemes import SCHEMES
from estimators.pathwise import Pathwise
from estimators.registry import register_estimator
from estimators.sampling import families

__all__ = ["Stratified"]


@final
@register_estimator("stratified")
@dataclass(frozen=True)
class Stratified(Wrapper):
    """The base estimator on structured noise: jittered grid strata, Latin hypercube, Sobol', systematic, antithetic.

    Keeps the bias of its base, but makes a base biased that needs independent samples (a leave-one-out baseline).
    The scheme covers the base noise of x; all other noise of the base stays independent. Owen 2013, ch. 8 and 10.
    """

    base: Estimator = field(default_factory=Pathwise)
    scheme: Annotated[str, OneOf(SCHEMES)] = "latin-hypercube"

    def __post_init__(self) -> None:
        if isinstance(self.base, Stratified):
            raise ValueError("stratified cannot be the base of stratified: only one scheme can place the samples")

    @classmethod
    def variants(cls) -> list[str]:
        on_pathwise = [f"stratified:scheme={scheme}" for scheme in sorted(SCHEMES)]
        on_score = [f"stratified:base=score-function,scheme={scheme}" for scheme in sorted(SCHEMES)]
        return [
            *on_pathwise,
            *on_score,
            "stratified:base=path-derivative",
            "stratified:base=(score-function:control_variate=leave-one-out),scheme=antithetic",
            "stratified:base=(importance-weighted:proposal=defensive),scheme=sobol",
        ]

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        q = problem.initial_distribution
        if reason := self.base.unsupported(problem, num_samples):
            return reason
        if not self.base.traits.structured:
            return f"{self.base.name} does not draw its samples one by one from q, and strata are of one distribution"
        if not families.find(q).structured:
            return f"{type(families.unwrap(q)).__name__} is sampled by its own sampler and takes no structured noise"
        reason = SCHEMES[self.scheme].unsupported(num_samples, _dimensions(problem))
        return reason or self._misplaced(problem, num_samples)

    def _misplaced(self, problem: Problem, num_samples: int) -> str | None:
        """Why the scheme cannot place the noise that the base draws: not every base draws S plain samples."""
        try:
            with torch.no_grad():
                self.draw(problem.to("cpu", torch.float64), start(problem), num_samples, IID(0, dtype=torch.float64))
        except ValueError as error:
            return f"the noise of {self.base.name} does not fit: {error}"
        return None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        broken = num_samples > 1 and self.traits.independent_samples
        return "biased" if broken else self.base.claim(problem, num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        return self.base.draw(problem, params, num_samples, SCHEMES[self.scheme](source))


def _dimensions(problem: Problem) -> int:
    """How many uniforms one sample of x takes."""
    return math.prod(families.noise(problem.initial_distribution, 1, IID(0, dtype=torch.float64)).shape[2:])
