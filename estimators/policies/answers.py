"""A group of answers of a policy, with what a policy gradient is made of, token by token."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface import Params, ScoredSamples
from estimators.programs import Program
from estimators.programs.credit import costs_to_go
from estimators.programs.tokens import tokens
from estimators.sampling.families import Drawn

__all__ = ["Answers"]


@final
@dataclass(frozen=True)
class Answers:
    """S answers of each of R policies, in each of N contexts if there are any: `*B` is `R` or `R N`."""

    program: Program
    samples: ScoredSamples
    log_policy: Float[Tensor, "S V *B"]
    """log π of each token, with its gradient."""
    log_ratio: Float[Tensor, "S V *B"]
    """log π − log μ, detached: zero where the answers are the policy's own."""
    costs: tuple[Float[Tensor, "S *B"], ...]
    """In the order of the run, with the gradient of their own dependence on the parameters."""
    counts: Float[Tensor, "S V *B"]
    """1 of each token, 0 of what is masked."""

    @classmethod
    def of(cls, program: Program, params: Params, behaviour: Params, drawn: Drawn) -> "Answers":
        """Answers drawn from the policy at the parameters of the behaviour, seen from those of the policy."""
        samples = ScoredSamples.of(program, params, drawn)
        log_policy = _log_policy(program, params, drawn)
        log_ratio = torch.zeros_like(log_policy)
        if behaviour is not params:
            log_ratio = (log_policy - _log_policy(program, behaviour, drawn)).detach()
        at = {name: value.detach() for name, value in params.items()}
        costs = program.each_cost(drawn.x, params)
        return cls(program, samples, log_policy, log_ratio, costs, tokens(program, at, drawn.x).counts)

    @property
    def score(self) -> Float[Tensor, "S V *B"]:
        """Zero, with the score of each token as its gradient."""
        return self.log_policy - self.log_policy.detach()

    def penalties(self) -> list[tuple[int, float, Tensor]]:
        """Of each penalty: the token that it is for, its β, and its log-ratio, with its gradient."""
        layout = self.program.layout
        found = [(layout.known_after[index] - 1, beta, self.costs[index]) for index, beta in layout.penalties]
        return [(token, beta, cost / beta) for token, beta, cost in found if beta]

    def credits(self, whole: bool, penalised: bool, weight: Tensor | None) -> Float[Tensor, "S V *B"]:
        """What each token is credited with: the costs that are known after it, or all; with the penalties or without.

        `weight` `[S, 1 + V, *B]` multiplies each cost by what it is after the variables that come before the cost.
        """
        layout = self.program.layout
        left_out = set() if penalised else {index for index, _ in layout.penalties}
        kept = [index for index in range(len(self.costs)) if index not in left_out]
        variables, after = self.log_policy.shape[1], [layout.known_after[index] for index in kept]
        costs = [self.costs[index].detach() for index in kept]
        if weight is not None:
            costs = [cost * weight[:, k] for cost, k in zip(costs, after, strict=True)]
        if not costs:
            return torch.zeros_like(self.log_policy)
        return costs_to_go(costs, [variables] * len(kept) if whole else after, variables).transpose(0, 1)

    def scored(self, credits: Float[Tensor, "S V *B"], whole: bool) -> ScoredSamples:
        """The samples as a control variate sees them, with 1 in place of each score: its term is then its baseline."""
        cost, places = self.program.of_variables(credits), tuple(range(self.log_policy.shape[1]))
        found = replace(self.samples, cost=cost, score=torch.ones_like(cost))
        return replace(found, variables=places, whole=whole)

    def direct(self) -> Float[Tensor, "S R"]:
        """All costs, with the gradient of those that are no penalties: the direct gradient of these has mean zero."""
        penalties = {index for index, _ in self.program.layout.penalties}
        each = [cost.detach() if index in penalties else cost for index, cost in enumerate(self.costs)]
        whole = self.log_ratio.sum(1).exp()
        return self.program.of_samples(whole * torch.stack(each).sum(0))


def _log_policy(program: Program, params: Params, drawn: Drawn) -> Tensor:
    if program.layout.alone:
        return drawn.log_prob(program.of_all(params)).unsqueeze(1)
    return torch.stack(program.scored(params, *drawn.parts)[0], 1)
