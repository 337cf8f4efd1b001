"""A policy that writes answers token by token, held near to a reference."""

from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions import OneHotCategorical

from estimators import Params, Program, register_problem
from estimators.sampling.states import CERTAIN
from experiments.problems.options import check_options

__all__ = ["TokenPolicy"]


@final
@register_problem("token-policy")
@dataclass(frozen=True)
class TokenPolicy(Program):
    r"""A policy writes an answer of up to `length` tokens, is rewarded by a rule, and pays for leaving a reference.

    The next of `vocabulary` tokens has logits from a table that depends on the token before. Token 0 ends the answer;
    what would come after is masked: it is certain, and costs nothing. An answer that ends in time and in which no token
    follows itself is rewarded by its length, as a share of the longest; the reward comes with the end. Each token
    costs $\beta \log \pi_\theta(a_t | a_{t-1}) / \pi_0(a_t | a_{t-1})$, whose sum has the expectation $\beta\,
    \mathrm{KL}(\pi_\theta \| \pi_0)$. The S samples are a group of answers to one question. The policy is measured
    at a `distance` from the reference. Exact by the sum over all answers.
    Ouyang et al. 2022; Ahmadian et al. 2024; Shao et al. 2024.
    """

    vocabulary: int = 3
    length: int = 5
    beta: float = 0.2
    distance: float = 1.0
    reference: Tensor = field(init=False, repr=False, compare=False)
    """The logits of the reference, `[vocabulary, vocabulary]`: a row for each token before, the first at the start."""

    def __post_init__(self) -> None:
        check_options(self, vocabulary=2, length=2)
        object.__setattr__(self, "reference", _drawn(self.vocabulary, 0))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:length=3"]

    def initial_params(self) -> Params:
        return {"policy": _drawn(self.vocabulary, 0) + self.distance * _drawn(self.vocabulary, 1)}

    def run(self, params: Any, sample: Any) -> Any:
        log_policy, log_reference = params["policy"].log_softmax(-1), self.reference.log_softmax(-1)
        end = torch.eye(self.vocabulary, dtype=log_policy.dtype, device=log_policy.device)[0]
        before, writes = end, torch.ones_like(end[0])
        allowed, written = writes, 0 * writes
        for place in range(self.length):
            logits = writes * (before @ log_policy) + (1 - writes) * CERTAIN * end
            state = before, writes, allowed, written
            token = sample(f"token{place}", OneHotCategorical(logits=logits), state=state)
            reward = token[0] * allowed * written / (self.length - 1)
            log_ratio = token @ (before @ (log_policy - log_reference))
            yield writes * (self.beta * log_ratio - reward)
            writes = writes * (1 - token[0])
            written = written + writes
            allowed = allowed * (1 - token[1:] @ before[1:])
            before = token


def _drawn(vocabulary: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.5 * torch.randn(vocabulary, vocabulary, generator=generator, dtype=torch.float64)
