# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""All groups of S answers of a small policy, with their odds: means and variances of estimates without luck."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
from torch import Tensor

from estimators import Drawn, Params, Problem, make_estimator, make_problem, replicated
from estimators.interface.once import computed_once
from estimators.policies.behaviour import moved_away
from estimators.policies.policy_gradient import PolicyGradient
from estimators.score_function import ScoreFunction

__all__ = ["SMALL", "Groups", "exact", "groups"]
SMALL = "token-policy:vocabulary=2,length=3,beta=0.6"


@dataclass(frozen=True)
class Groups:
    """Groups `[S, R, D]` of answers, each once; `odds` `[R]`."""

    problem: Problem
    x: Tensor
    odds: Tensor

    def gradients(self, spec: str) -> Tensor:
        """The estimate of each group, `[R, parameters]`."""
        made, estimator = self.problem, make_estimator(spec)
        estimator.require_support(made, len(self.x))
        params = replicated(made.initial_params(), self.x.shape[1])
        point = {name: value.clone().requires_grad_() for name, value in params.items()}
        with computed_once():
            if isinstance(estimator, PolicyGradient):
                terms = estimator.terms(estimator.of(made, point, Drawn((self.x,))))
            else:
                assert isinstance(estimator, ScoreFunction)
                terms = estimator.terms(made, point, Drawn((self.x,)))
        return flat(dict(zip(point, torch.autograd.grad(terms.mean(0).sum(), list(point.values())), strict=True)))

    def moments(self, spec: str) -> tuple[Tensor, Tensor]:
        """Mean and variance of each entry."""
        found = self.gradients(spec)
        mean = self.odds @ found
        return mean, self.odds @ (found - mean) ** 2

    def mean(self, spec: str) -> Tensor:
        return self.moments(spec)[0]


def flat(gradient: Params) -> Tensor:
    return torch.cat([value.flatten(1) for value in gradient.values()], 1)


@cache
def groups(spec: str = SMALL, num_samples: int = 2, stale: float = 0.0) -> Groups:
    """The groups that a policy may give, or one so far away from it."""
    made = make_problem(spec).to("cpu", torch.float64)
    start = replicated(made.initial_params(), 1)
    states, behaviour = made.support(start), moved_away(start, stale)
    assert states is not None
    chances = made.distribution(behaviour).log_prob(states)[:, 0].exp()
    states, chances = states[chances > 0], chances[chances > 0]
    rows = torch.tensor(list(product(range(len(states)), repeat=num_samples))).T
    return Groups(made, states[rows, 0], chances[rows].prod(0))


@cache
def exact(spec: str = SMALL) -> Tensor:
    """The gradient of the expected cost."""
    made = make_problem(spec)
    return flat(made.exact_gradient(replicated(made.initial_params(), 1)))[0]
