"""Problems whose cost is an energy less an entropy, as a negative evidence lower bound is."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from estimators.interface.params import Params
from estimators.interface.problem import Problem

__all__ = ["VariationalProblem"]


class VariationalProblem(Problem):
    r"""A problem with an entropy in it, $E[f(x)] = E[e(x)] - w H[q]$, as a negative ELBO has with $e = -\log p$.

    `cost` may have the entropy in any form: as log q(x), or in a divergence from the prior in closed form.
    """

    @property
    def entropy_weight(self) -> float:
        """w."""
        return 1.0

    @abstractmethod
    def energy(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        """e(x) of samples `[S, R, *E]`: of a negative ELBO, −log p(x) of the prior and −log p(data | x)."""
