"""A policy that writes answers token by token, held near to a reference."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, final

import torch
from torch import Tensor
from torch.distributions import OneHotCategorical

from estimators import Params, Penalty, Program, register_problem
from estimators.sampling.states import CERTAIN
from experiments.problems.options import check_options

__all__ = ["TokenPolicy"]


@final
@register_problem("token-policy")
@dataclass(frozen=True)
class TokenPolicy(Program):
    r"""A policy writes an answer of up to `length` tokens, is rewarded by a rule, and pays for leaving a reference.

    The next of `vocabulary` tokens has logits from a `table` that depends on the token before, or from a `gru` that
    remembers all before it. Token 0 ends the answer; what would come after is masked: it is certain, and costs
    nothing. An answer that ends in time and in which no token follows itself is rewarded by its length, as a share of
    the longest; the reward comes with the end. Each token costs $\beta \log \pi_\theta(a_t | a_{<t}) / \pi_0(a_t |
    a_{<t})$, whose sum has the expectation $\beta\, \mathrm{KL}(\pi_\theta \| \pi_0)$. The S samples are a group of
    answers to one question. The policy is measured at a `distance` from the reference. Exact by the sum over all
    answers.
    Ouyang et al. 2022; Ahmadian et al. 2024; Shao et al. 2024.
    """

    vocabulary: int = 3
    length: int = 5
    beta: float = 0.2
    distance: float = 1.0
    policy: Literal["table", "gru"] = "table"
    reference: Params = field(init=False, repr=False, compare=False)
    """The parameters of the reference; of a table its logits, a row for each token before, the first at the start."""

    def __post_init__(self) -> None:
        check_options(self, vocabulary=2, length=2)
        object.__setattr__(self, "reference", _drawn(self._shapes, 0))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:length=3"]

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        v, h = self.vocabulary, HIDDEN
        table = {"policy": (v, v)}
        return table if self.policy == "table" else {"input": (3 * h, v), "hidden": (3 * h, h), "out": (v, h)}

    def initial_params(self) -> Params:
        moved = _drawn(self._shapes, 1)
        return {name: value + self.distance * moved[name] for name, value in self.reference.items()}

    def run(self, params: Any, sample: Any) -> Any:
        some, step = next(iter(params.values())), STEPS[self.policy]
        end = torch.eye(self.vocabulary, dtype=some.dtype, device=some.device)[0]
        before, writes, memory = end, torch.ones_like(end[0]), (some.new_zeros(HIDDEN),) * 2
        allowed, written = writes, 0 * writes
        for place in range(self.length):
            log_policy, own = step(params, before, memory[0])
            log_reference, other = step(self.reference, before, memory[1])
            memory = own, other
            logits = writes * log_policy + (1 - writes) * CERTAIN * end
            state = before, writes, allowed, written
            token = sample(f"token{place}", OneHotCategorical(logits=logits), state=state, counts=writes)
            reward = token[0] * allowed * written / (self.length - 1)
            yield Penalty(self.beta, writes * (token @ (log_policy - log_reference)))
            yield -writes * reward
            writes = writes * (1 - token[0])
            written = written + writes
            allowed = allowed * (1 - token[1:] @ before[1:])
            before = token


HIDDEN = 4
"""Numbers that the GRU remembers."""
Step = Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]]
"""The log-probabilities of the next token after the one before, and what is remembered."""


def _table(params: Any, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    return before @ params["policy"].log_softmax(-1), memory


def _gru(params: Any, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    (reset, keep, new), (old_reset, old_keep, old) = (
        (params[name] @ value).chunk(3) for name, value in (("input", before), ("hidden", memory))
    )
    kept = torch.sigmoid(keep + old_keep)
    memory = (1 - kept) * torch.tanh(new + torch.sigmoid(reset + old_reset) * old) + kept * memory
    return (params["out"] @ memory).log_softmax(-1), memory


STEPS: dict[str, Step] = {"table": _table, "gru": _gru}


def _drawn(shapes: dict[str, tuple[int, ...]], seed: int) -> Params:
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}
