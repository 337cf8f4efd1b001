"""Toys with categorical variables."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, OneHotCategorical

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["BanditPolicy", "CategoricalToy"]

MAX_STATES = 2**20


@final
@register_problem("categorical-toy")
@dataclass(frozen=True)
class CategoricalToy(Problem):
    r"""One-hot variables with a cost that is not separable.

    x is one-hot of `classes` in each of `dim` variables, $f = \big(\sum_d w_d \cdot x_d - t\big)^2 + \prod_d w_d \cdot
    x_d$. The levels w and the logits, `spread` times a wave, are fixed. Exact by enumeration.
    """

    dim: int = 3
    classes: int = 4
    spread: float = 1.0
    t: float = 1.0

    def __post_init__(self) -> None:
        check_options(self, dim=1, classes=2)

    def initial_params(self) -> Params:
        return {"logits": self.spread * self._wave(2.0)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(OneHotCategorical(logits=params["logits"]), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        level = (x * (1 + self._wave(1.0)).to(x)).sum(-1)
        return (level.sum(-1) - self.t) ** 2 + level.prod(-1)

    def support(self, params: Params) -> Tensor | None:
        if self.classes**self.dim > MAX_STATES:
            return None
        logits = params["logits"]
        index = torch.arange(self.classes**self.dim, device=logits.device)
        digits = index[:, None] // self.classes ** torch.arange(self.dim, device=logits.device) % self.classes
        states = torch.nn.functional.one_hot(digits, self.classes).to(logits.dtype)
        return states[:, None].expand(-1, len(logits), -1, -1)

    def _wave(self, frequency: float) -> Tensor:
        """Irregular numbers in [−1, 1], `[dim, classes]`."""
        index = torch.arange(self.dim * self.classes, dtype=torch.float64)
        return (frequency * (1 + index) ** 1.5).sin().reshape(self.dim, self.classes)


@final
@register_problem("bandit-policy")
@dataclass(frozen=True)
class BanditPolicy(Problem):
    """A softmax policy over answers, some of which are correct, as language models are trained.

    The first `correct` of the `answers` have reward 1 and are given with probability `success_rate`; f is minus the
    reward. The S samples are the group of answers to one question: where all of a group agree, it has nothing to learn
    from.
    Shao et al. 2024; Ahmadian et al. 2024.
    """

    answers: int = 10
    correct: int = 3
    success_rate: float = 0.5

    def __post_init__(self) -> None:
        check_options(self, answers=2, correct=1, success_rate=0)
        if self.correct >= self.answers:
            raise ValueError(f"correct must be less than the {self.answers} answers, not {self.correct}")
        if self.success_rate >= 1:
            raise ValueError(f"success_rate must lie between 0 and 1, not {self.success_rate}")

    def initial_params(self) -> Params:
        right = math.log(self.success_rate / self.correct)
        wrong = math.log((1 - self.success_rate) / (self.answers - self.correct))
        return {"logits": wrong + (right - wrong) * self._reward}

    def distribution(self, params: Params) -> Distribution:
        return OneHotCategorical(logits=params["logits"])

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return -(x @ self._reward.to(x))

    def support(self, params: Params) -> Tensor:
        states = torch.eye(self.answers, dtype=params["logits"].dtype, device=params["logits"].device)
        return states[:, None].expand(-1, len(params["logits"]), -1)

    @property
    def _reward(self) -> Tensor:
        return (torch.arange(self.answers) < self.correct).double()
