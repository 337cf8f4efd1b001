"""The gradient of what the best of k answers is worth: pass@k and max@k."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Estimator, Noise, Objective, Params, Problem, ScoredSamples, Traits, derivative, start
from estimators.interface.refusals import at_least, score
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.families import Drawn

__all__ = ["BestOf", "MaxAtK"]

BLOCK = 2**14
"""States whose probabilities are differentiated at a time."""


@final
@dataclass(frozen=True)
class BestOf(Objective):
    r"""The expected cost of the best of k samples, $\mathbb{E}[\min(f(x_1), \dots, f(x_k))]$: minus max@k."""

    k: int

    @property
    def name(self) -> str:  # pyright: ignore
        return f"max@{self.k}"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        """By the sum over all states, in the order of their costs: $\\sum_j f_j (Q_j^k - Q_{j+1}^k)$, of tails Q."""
        at = {name: value.detach().double().requires_grad_() for name, value in params.items()}
        exact = problem.to(next(iter(at.values())).device, torch.float64)
        if (states := exact.summed_states(at)) is None:
            return None
        blocks = states.split(BLOCK)

        def both(x: Tensor) -> tuple[Tensor, Tensor]:
            return families.probability(exact.distribution(at), x), exact.cost(x, at)

        with torch.no_grad():
            odds, costs = (torch.cat(parts) for parts in zip(*map(both, blocks), strict=True))
        with torch.enable_grad():
            leaves = {"odds": odds.requires_grad_(), "costs": costs.requires_grad_()}
            slopes = derivative(_least(odds, costs, self.k).sum(), leaves)
            found = []
            for x, of_odds, of_costs in zip(blocks, *(slopes[n].split(BLOCK) for n in leaves), strict=True):
                odds, costs = both(x)
                found.append(derivative((of_odds * odds + of_costs * costs).sum(), at))
        return {name: torch.stack([one[name] for one in found]).sum(0) for name in at}


def _least(odds: Float[Tensor, "K R"], costs: Float[Tensor, "K R"], k: int) -> Float[Tensor, " R"]:
    order = costs.argsort(0)
    tail = odds.gather(0, order).flip(0).cumsum(0).flip(0) ** k
    return (costs.gather(0, order) * (tail - torch.cat([tail[1:], torch.zeros_like(tail[:1])]))).sum(0)


@final
@register_estimator("max-at-k")
@dataclass(frozen=True)
class MaxAtK(Estimator):
    r"""The gradient of max@k, what the best of `k` samples is worth; of pass@k where rewards are 0 and 1.

    Of S samples in the order of their costs, $f_1 \le \dots \le f_S$, each score is weighed by what its sample saves
    against the best of the others, on average over all groups of k of them that it belongs to,
    $A_j = \binom{S}{k}^{-1} \sum_{l > j} \binom{S-l}{k-2} (f_j - f_l)$.

    Unbiased for max@k, which is another objective than the expected cost: where p is the rate of success, the gradient
    of pass@k is $k (1-p)^{k-1} \nabla p$. Needs k of at least 2, as many independent samples, and finitely many states.
    Walder & Karkhanis 2025.
    """

    k: int = 2

    def __post_init__(self) -> None:
        if self.k < 2:
            raise ValueError(f"k must be at least 2, not {self.k}: of one sample the best is the expected cost")

    @property
    def traits(self) -> Traits:
        return Traits("score function", independent_samples=True, samples_of_q=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if problem.num_data:
            return f"{self.name} takes the best of answers to one question, and there are {problem.num_data}"
        exact = problem.to("cpu", torch.float64)
        if exact.summed_states(start(problem)) is None:
            return f"{self.name} needs finitely many states, by whose sum the gradient of max@k is known"
        return at_least(self.k, num_samples, self.spec) or score(problem)

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        return BestOf(self.k)

    def estimates_cost(self, problem: Problem) -> bool:
        return False

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self.of(problem, params, families.drawn(problem.distribution(params), noise))

    def of(self, problem: Problem, params: Params, drawn: Drawn) -> Float[Tensor, " R"]:
        """The surrogate of samples."""
        samples = ScoredSamples.of(problem, params, drawn)
        order = samples.cost.argsort(0)
        saved, least = self._weights(len(order), samples.cost)
        weight = torch.zeros_like(samples.cost).scatter(0, order, saved @ samples.cost.gather(0, order))
        own = torch.zeros_like(samples.cost).scatter(0, order, least.unsqueeze(1).expand_as(order))
        return (weight * samples.score + own * (samples.direct - samples.cost)).sum(0)

    def _weights(self, num_samples: int, like: Tensor) -> tuple[Float[Tensor, "S S"], Float[Tensor, " S"]]:
        """What makes A of sorted costs, and how often each of them is the least of k."""
        groups = math.comb(num_samples, self.k)
        behind = [num_samples - 1 - place for place in range(num_samples)]
        pairs = like.new_tensor([math.comb(left, self.k - 2) / groups for left in behind])
        least = like.new_tensor([math.comb(left, self.k - 1) / groups for left in behind])
        return least.diag() - pairs.expand(num_samples, -1).triu(1), least
