"""An estimator made of an estimator."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from estimators.interface.estimator import Claim, Estimator, Noise
from estimators.interface.objective import Objective
from estimators.interface.params import Params
from estimators.interface.problem import Problem
from estimators.interface.traits import Traits
from estimators.noise import NoiseSource

__all__ = ["Wrapper"]


class Wrapper(Estimator):
    """An estimator that does as its base does, in everything that a subclass does not define anew.

    A subclass is a dataclass with a field `base`. Where the base works on something else than the wrapper is given, the
    subclass says so once: `seen_problem`, `seen_samples`, `seen_params`, `seen_noise`.
    """

    base: Estimator

    def seen_problem(self, problem: Problem) -> Problem:
        """The problem that the base works on."""
        return problem

    def seen_samples(self, num_samples: int) -> int:
        """The samples of a gradient that the base works with."""
        return num_samples

    def seen_params(self, params: Params) -> Params:
        """The parameters that the base works on."""
        return params

    def seen_noise(self, noise: Noise) -> Noise:
        """The part of the wrapper's noise that is the base's."""
        return noise

    @property
    def traits(self) -> Traits:
        return self.base.traits

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        return self.base.unsupported(self.seen_problem(problem), self.seen_samples(num_samples))

    def unsupported_twice(self, problem: Problem) -> str | None:
        return self.base.unsupported_twice(self.seen_problem(problem))

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        return self.base.claim(self.seen_problem(problem), self.seen_samples(num_samples))

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        return self.base.objective(self.seen_problem(problem), self.seen_samples(num_samples))

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        seen = self.seen_problem(problem), self.seen_params(params), self.seen_samples(num_samples)
        return self.base.draw(*seen, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self.base.surrogate(self.seen_problem(problem), self.seen_params(params), self.seen_noise(noise))

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return self.base.evaluations(self.seen_problem(problem), self.seen_samples(num_samples))

    def estimates_cost(self, problem: Problem) -> bool:
        return self.base.estimates_cost(self.seen_problem(problem))

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        return self.base.diagnostics(self.seen_problem(problem), self.seen_params(params), self.seen_noise(noise))

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Wrapper":
        seen = self.seen_problem(problem), self.seen_params(params), self.seen_samples(num_samples)
        return self._around(self.base.fit(*seen, source))

    def update(self, problem: Problem, params: Params, noise: Noise) -> "Wrapper":
        return self._around(
            self.base.update(self.seen_problem(problem), self.seen_params(params), self.seen_noise(noise))
        )

    def _around(self, base: Estimator) -> "Wrapper":
        return self if base is self.base else replace(self, base=base)  # pyright: ignore[reportArgumentType]
