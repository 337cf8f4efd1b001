# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""Groups of answers of a table policy, and their losses, written anew: by loops over answers and tokens."""

from collections.abc import Callable
from functools import cache

import torch
from groups import SMALL, Groups, groups
from torch import Tensor

from estimators import Params, replicated
from estimators.policies.behaviour import moved_away

__all__ = ["ByHand", "Loss", "by_hand"]

Loss = Callable[["ByHand"], Tensor]


class ByHand:
    """One group of S answers: padded tensors `[S, T]`, zero behind the end of each answer."""

    def __init__(self, of: Groups, row: int, old: Params):
        made = of.problem
        self.policy = made.initial_params()["policy"].clone().requires_grad_()
        tokens = of.x[:, row].unflatten(-1, (made.length, made.vocabulary)).argmax(-1).tolist()
        shape = len(tokens), made.length
        self.log_policy, self.log_behaviour = [], torch.zeros(shape, dtype=torch.float64)
        self.mask, self.cost, self.energy, self.log_ratio = (torch.zeros(shape).double() for _ in range(4))
        self.beta, self.reward = made.beta, torch.zeros(shape[0]).double()
        reference = made.reference["policy"].log_softmax(-1)
        for s, answer in enumerate(tokens):
            before, repeats, rows = 0, False, []
            for t, token in enumerate(answer):
                log_p = self.policy.log_softmax(-1)[before]
                rows.append(log_p[token])
                p = log_p.detach().exp()
                self.mask[s, t], self.energy[s, t] = 1, 1 - 2 * p[token] + (p**2).sum()
                self.log_behaviour[s, t] = old["policy"].log_softmax(-1)[before, token]
                self.log_ratio[s, t] = log_p[token].detach() - reference[before, token]
                if token == 0:
                    self.reward[s] = 0 if repeats else t / (made.length - 1)
                    break
                repeats, before = repeats or token == before, token
            self.cost[s, len(rows) - 1] = -self.reward[s]
            self.log_policy.append(torch.stack(rows + [torch.zeros(()).double()] * (shape[1] - len(rows))))
        self.reference = self.log_policy_value - self.log_ratio
        self.penalised = self.cost + self.beta * self.log_ratio

    @property
    def log_p(self) -> Tensor:
        return torch.stack(self.log_policy)

    @property
    def log_policy_value(self) -> Tensor:
        return self.log_p.detach()

    @property
    def lengths(self) -> Tensor:
        return self.mask.sum(1)

    @staticmethod
    def to_go(cost: Tensor) -> Tensor:
        return cost.flip(1).cumsum(1).flip(1)

    def gradient(self, loss: Loss) -> Tensor:
        return torch.autograd.grad(loss(self), self.policy, retain_graph=True)[0].flatten()


@cache
def _all(spec: str, num_samples: int, stale: float) -> list[ByHand]:
    of = groups(spec, num_samples, stale)
    start = replicated(of.problem.initial_params(), 1)
    old = {name: value[0] for name, value in moved_away(start, stale).items()}
    return [ByHand(of, row, old) for row in range(of.x.shape[1])]


def by_hand(loss: Loss, spec: str = SMALL, num_samples: int = 2, stale: float = 0.0) -> Tensor:
    """The gradients of the loss for all groups, `[R, parameters]`."""
    return torch.stack([group.gradient(loss) for group in _all(spec, num_samples, stale)])
