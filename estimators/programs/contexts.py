"""Programs that start from one of several contexts, such as the questions of a batch: each has samples of its own."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution, Independent

from estimators.interface import Params, Problem
from estimators.interface.latent import OF_THE_DATA
from estimators.interface.problem import changed
from estimators.programs.program import Program
from estimators.programs.rows import apart, first_row, paths_of_a_row
from estimators.sampling import families

__all__ = ["ContextProgram"]


class ContextProgram(Program):
    """A program for one context; its cost is the mean over all contexts, and each has S samples of its own.

        @register_problem("bandit")
        @dataclass(frozen=True)
        class Bandit(ContextProgram):
            contexts: Tensor = field(init=False, repr=False, compare=False)  # [N, C]

            def run(self, params, sample, context):
                arm = sample("arm", OneHotCategorical(logits=context @ params["weights"]))
                yield -(arm * self.rewards(context)).sum()

    A sample is a run for each context, `[S, R, N, *E]`. A variable of one context is not credited with the costs of
    another, and baselines, such as leave-one-out, are those of each context. `batch` chooses among the contexts.
    """

    contexts: Tensor
    """`[N, C]`, a row for each; in a batch `[R, N, C]`."""

    @abstractmethod
    def run(self, params: Any, sample: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """One run from a context `[C]`, `run(self, params, sample, context)`: see `Program.run`."""

    @property
    def mapped_data(self) -> Tensor:
        return self.contexts

    @property
    def first_point(self) -> tuple[Tensor, ...]:
        return (first_row(self.contexts, "contexts", "[N, C]", ""),)

    @property
    def num_data(self) -> int:
        return self.contexts.shape[-2]

    def batch(self, indices: Shaped[Tensor, "R B"]) -> Problem:
        return self._of(self.contexts[indices])

    @property
    def on_least_data(self) -> Problem:
        return self._of(self.contexts.flatten(0, -2)[:1])

    def _of(self, contexts: Tensor) -> "ContextProgram":
        """The same from other contexts."""
        return changed(self, OF_THE_DATA, contexts=contexts)

    def batch_of(self, params: Params) -> torch.Size:
        return torch.Size([*super().batch_of(params), self.num_data])

    def of_samples(self, each: Float[Tensor, "S R N"]) -> Float[Tensor, "S R"]:
        return each.mean(-1)

    def weighed(self, each: Tensor) -> Tensor:
        return each / self.num_data

    def of_variables(self, each: Float[Tensor, "S V R N"]) -> Float[Tensor, "S W R"]:
        """Each variable of each context is one of its own."""
        return apart(each)

    def distribution(self, params: Params) -> Distribution:
        return Independent(self.of_all(params), 1)

    def support(self, params: Params) -> Tensor | None:
        """None: not the paths of all contexts together."""
        return None

    def summed_states(self, params: Params) -> Tensor | None:
        """All paths from one context, `[K, R, N, D]`, where there are few enough."""
        return paths_of_a_row(self, params)

    def _sum_over(self, states: Tensor, params: Params) -> Float[Tensor, " R"]:
        probability, costs = families.probability(self.of_all(params), states), self.each_cost(states, params)
        return self.of_samples(probability * torch.stack(costs).sum(0)).sum(0)
