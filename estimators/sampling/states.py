"""The states of discrete variables, and how a sample writes them. Shapes: q has the batch `[*B]` and K states."""

from abc import ABC, abstractmethod
from typing import Any, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from estimators.sampling.looking import all_finite

__all__ = ["CERTAIN", "Binary", "Index", "Marked", "OneHot", "States", "finite_logits"]

CERTAIN = 1e4
"""The logit, or minus the log-probability, that stands for an infinite one, as of a masked state: differences of two of
these are numbers, and its exponential is zero."""


def finite_logits(q: Any) -> Tensor:
    """The logits of q, with ±`CERTAIN` in place of infinite ones, in which nothing has a derivative."""
    return q.logits if all_finite(q.logits) else q.logits.clamp(-CERTAIN, CERTAIN)


class States(ABC):
    """The states 0 … K − 1 of each variable. `q` is what `unwrap` finds inside any `Independent`."""

    @abstractmethod
    def classes(self, q: Any) -> int:
        """K."""

    @abstractmethod
    def log_probabilities(self, q: Any) -> Tensor:
        """`[*B, K]`, differentiable in the parameters; −`CERTAIN` for a state of probability zero."""

    @abstractmethod
    def samples(self, q: Any, index: Tensor) -> Tensor:
        """The samples that have given states."""

    @abstractmethod
    def probability(self, q: Any, x: Tensor) -> Tensor:
        """q(x) of each variable: differentiable also where it is exactly 0 or 1, as its logarithm is not."""


class Marked(States, ABC):
    """States that are written as zeros and ones, so that x itself marks the state and its mean is a probability."""

    @abstractmethod
    def probabilities(self, q: Any) -> Tensor:
        """`[*B, K]`, differentiable in the parameters."""

    @final
    def probability(self, q: Any, x: Tensor) -> Tensor:
        return (self.marks(x) * self.probabilities(q)).sum(-1)

    @abstractmethod
    def marks(self, x: Tensor) -> Tensor:
        """1 at the state of each variable and 0 at the others, `[…, K]`."""

    @abstractmethod
    def moved(self, x: Tensor, step: int) -> Tensor:
        """x with the state of each variable moved on by a step, the first after the last."""


@final
class Binary(Marked):
    """0 or 1, of a q with `logits` and `probs`."""

    def classes(self, q: Any) -> int:
        return 2

    def log_probabilities(self, q: Any) -> Tensor:
        return torch.stack([logsigmoid(-q.logits), logsigmoid(q.logits)], -1).clamp(min=-CERTAIN)

    def samples(self, q: Any, index: Tensor) -> Tensor:
        return index.to(q.logits.dtype)

    def probabilities(self, q: Any) -> Tensor:
        return torch.stack([1 - q.probs, q.probs], -1)

    def marks(self, x: Tensor) -> Tensor:
        return torch.stack([1 - x, x], -1)

    def moved(self, x: Tensor, step: int) -> Tensor:
        return x if step % 2 == 0 else 1 - x


@final
class OneHot(Marked):
    """A vector with a single 1, of a q with `logits` and `probs` of its entries."""

    def classes(self, q: Any) -> int:
        return q.logits.shape[-1]

    def log_probabilities(self, q: Any) -> Tensor:
        return q.logits.log_softmax(-1).clamp(min=-CERTAIN)

    def samples(self, q: Any, index: Tensor) -> Tensor:
        return one_hot(index, self.classes(q)).to(q.logits.dtype)

    def probabilities(self, q: Any) -> Tensor:
        return q.probs

    def marks(self, x: Tensor) -> Tensor:
        return x

    def moved(self, x: Tensor, step: int) -> Tensor:
        return x.roll(step, -1)


@final
class Index(States):
    """The number of the state, of a q with `logits`."""

    def classes(self, q: Any) -> int:
        return q.logits.shape[-1]

    def log_probabilities(self, q: Any) -> Tensor:
        return q.logits.log_softmax(-1).clamp(min=-CERTAIN)

    def samples(self, q: Any, index: Tensor) -> Tensor:
        return index

    def probability(self, q: Any, x: Tensor) -> Tensor:
        index = x.long().unsqueeze(-1)
        return q.probs.expand(*index.shape[:-1], -1).gather(-1, index).squeeze(-1)
