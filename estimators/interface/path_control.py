"""What a control variate of the pathwise estimator is."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface.control_variate import Control
from estimators.interface.params import Params
from estimators.interface.problem import Problem
from estimators.noise import NoiseSource

__all__ = ["PathControl", "PathSamples"]


@dataclass(frozen=True)
class PathSamples:
    """Samples along their path, as a control variate sees them."""

    problem: Problem
    params: Params
    q: Distribution
    x: Float[Tensor, "S R *E"]
    """The samples, as functions of the parameters; detached where there is something to learn."""


class PathControl(Control):
    """A term of known, zero expected gradient that `pathwise` subtracts from its surrogate."""

    fits: ClassVar[str] = "pathwise"

    @abstractmethod
    def term(self, samples: PathSamples) -> Float[Tensor, "S R"]:
        """The term subtracted for each sample: value zero, and a gradient of mean zero under q."""

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "PathControl":
        """See `Estimator.fit`."""
        return self

    def update(self, samples: PathSamples) -> "PathControl":
        """See `Estimator.update`."""
        return self
