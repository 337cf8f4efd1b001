"""Latent-variable models: problems whose cost is the negative evidence lower bound."""

from abc import abstractmethod
from collections.abc import Collection
from typing import ClassVar, final

from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution, Independent

from estimators.interface.params import Params
from estimators.interface.problem import changed
from estimators.interface.variational import VariationalProblem
from estimators.sampling import families

__all__ = ["OF_THE_DATA", "LatentVariableProblem", "Observed"]

OF_THE_DATA = ("initial_distribution", "refusals", "footprint")
"""What a problem keeps that follows from its data, once it was asked for."""


class Observed(VariationalProblem):
    """The negative ELBO of data points: of all together, or of one in each cost."""

    observation: Tensor
    """x, `[N, X]`, the same for all replicates; in a batch `[R, N, X]`."""
    data_weight: float = 1.0
    """The weight of a data point in the cost: N/B in a batch of B."""

    @property
    def entropy_weight(self) -> float:
        return self.data_weight

    @abstractmethod
    def of_costs(self, each: Float[Tensor, "R N"]) -> Float[Tensor, " C"]:
        """A value of each cost: the values of its data points, summed."""


class LatentVariableProblem(Observed):
    r"""The negative ELBO $-\sum_n E_{z \sim q(z|x_n)}[\log p(x_n, z) - \log q(z|x_n)]$ of N data points, in nats.

    A sample is a z for each data point, `[S, R, N, *D]`. Any estimator works on the cost; bounds alone use the
    log-weights $\log p(x, z) - \log q(z|x)$, of K samples. The attribute `observation` is x, `[N, X]`; on mini-batches
    it is `[R, N, X]`, which a module runs by `of_batches`, and `data_weight` is what each point counts in the cost.
    """

    cost_depends_on_params: ClassVar[bool] = True
    encoder: ClassVar[tuple[str, ...]]
    """The names of the parameters of q; the others are the model's. No parameter is in both."""

    @property
    def encoder_names(self) -> Collection[str]:
        """The same, also where a problem finds them by itself."""
        return self.encoder

    @abstractmethod
    def posterior(self, params: Params) -> Distribution:
        """q(z|x), with batch shape `[R, N]` and event shape D."""

    @abstractmethod
    def log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        """log p(x, z) of samples `[S, R, N, *D]`."""

    def credits(self, samples: families.Drawn, params: Params) -> tuple[Tensor, Tensor] | None:
        """What is to be weighed by what, of a problem with several latent variables; None: all by the whole cost.

        The costs that each of V variables of a data point counts for, detached, and log q of each, `[S, V, R, N]`.
        """
        return None

    def log_marginal(self, params: Params) -> Float[Tensor, "R N"] | None:
        """log p(x); None: unknown."""
        return None

    @final
    def of_costs(self, each: Float[Tensor, "R N"]) -> Float[Tensor, " C"]:
        return each.sum(1)

    @final
    def sum_over_points(self, states: Float[Tensor, "K R N *D"], params: Params) -> Float[Tensor, " R"]:
        """The expected cost by the K states of each data point alone; `support` has those of all points together."""
        probability = families.probability(self.posterior(params), states)
        return -self.data_weight * (probability * self.log_weights(states, params)).sum((0, 2))

    @property
    def num_data(self) -> int:
        return self.observation.shape[-2]

    def batch(self, indices: Shaped[Tensor, "R B"]) -> "LatentVariableProblem":
        return self.conditioned(self.observation[indices], self.num_data / indices.shape[1])

    @property
    def on_least_data(self) -> "LatentVariableProblem":
        """One data point, for however many replicates the data are."""
        return self.conditioned(self.observation.flatten(0, -2)[:1], self.data_weight)

    @final
    def conditioned(self, observation: Shaped[Tensor, "*R N X"], data_weight: float) -> "LatentVariableProblem":
        """The same model and encoder on other data."""
        return changed(self, OF_THE_DATA, observation=observation, data_weight=data_weight)

    @final
    def distribution(self, params: Params) -> Distribution:
        return Independent(self.posterior(params), 1)

    @final
    def log_q(self, z: Tensor | families.Drawn, params: Params) -> Float[Tensor, "S R N"]:
        """log q(z|x) of samples `[S, R, N, *D]`; of `Drawn` ones with the derivative before z was rounded."""
        posterior = self.posterior(params)
        return families.log_prob(posterior, z) if isinstance(z, Tensor) else z.log_density(posterior)

    @final
    def log_weights(self, z: Tensor | families.Drawn, params: Params) -> Float[Tensor, "S R N"]:
        """log p(x, z) − log q(z|x)."""
        return self.log_joint(z if isinstance(z, Tensor) else z.x, params) - self.log_q(z, params)

    @final
    def energy(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return -self.data_weight * self.log_joint(x, params).sum(-1)

    @final
    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return -self.data_weight * self.log_weights(x, params).sum(-1)

    @final
    def cost_of(self, samples: families.Drawn, params: Params) -> Float[Tensor, "S R"]:
        return -self.data_weight * self.log_weights(samples, params).sum(-1)
