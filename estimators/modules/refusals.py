"""What of a module cannot be part of a problem, and what to do instead."""

import re
from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["CHANGES", "RANDOM", "REFUSED", "NotMapped", "explained", "without_dropout"]

RANDOM = "it draws random numbers, as dropout does: call eval() on it, or make the noise a part of x"
STATE = "it keeps running statistics: use LayerNorm or GroupNorm, or call eval() on it"
BATCH = (
    "its batch norm needs a batch, and a program sees one data point: use LayerNorm or GroupNorm, or write the problem "
    "for all samples at once"
)
CHANGES = "it changes a buffer as it runs: call eval() on it, or make the buffer a part of its inputs and outputs"
WITHOUT_RULE = "torch.func.vmap does not know {rule}: write it in other operations of torch"

ADVICE = {
    "randomness": RANDOM,
    "running_mean": STATE,
    "D input (got": BATCH,
    "data-dependent control flow": "it branches on the values of tensors: write torch.where",
    "item()": "it turns tensors into numbers: keep them tensors",
    "inplace arithmetic": CHANGES,
    "Batching rule not implemented": WITHOUT_RULE,
    "we do not yet support": WITHOUT_RULE,
    "dynamic shape": "it has outputs whose shape depends on values: use operations whose shapes do not",
}
"""What to do, by words in what torch says of a module that cannot be mapped."""


class NotMapped(RuntimeError):
    """A module cannot be mapped over replicates; the message says why and what to do."""


def explained(error: Exception, module: str) -> Exception:
    """One line that says what to do where a module cannot be mapped over replicates; else the error itself."""
    text = str(error)
    rule = re.search(r"aten::(\w+)", text)
    found = (advice for words, advice in ADVICE.items() if words in text)
    advice = text if isinstance(error, NotMapped) else next(found, None)
    if advice is None:
        return error
    advice = advice.format(rule=rule[1] if rule else "an operation")
    return ValueError(f"{module} cannot be mapped over replicates: {advice}")


def _random(*arguments: Any, **options: Any) -> NoReturn:
    raise NotMapped(RANDOM)


def without_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if training and p:
        raise NotMapped(RANDOM)
    return input


def _rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    if training:
        raise NotMapped(RANDOM)
    return functional.leaky_relu(input, (lower + upper) / 2)


def _batch_norm(
    input: Tensor, mean: Tensor | None, var: Tensor | None, *others: Any, training: bool = False, **options: Any
) -> Tensor:
    if training and mean is not None:
        raise NotMapped(STATE)
    return functional.batch_norm(input, mean, var, *others, **options)


def _instance_norm(
    input: Tensor, running_mean: Tensor | None = None, *others: Any, use_input_stats: bool = True, **options: Any
) -> Tensor:
    if use_input_stats and running_mean is not None:
        raise NotMapped(STATE)
    return functional.instance_norm(input, running_mean, *others, use_input_stats=use_input_stats, **options)


DROPOUT = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
DRAWS = ("bernoulli", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn")
DRAWS = (*DRAWS, "randn_like", "randperm")
IN_PLACE = ("bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_")

REFUSED: dict[Callable[..., Any], Callable[..., Any]] = {
    **{getattr(functional, name): without_dropout for name in DROPOUT},
    **{getattr(torch, name): _random for name in DRAWS},
    **{getattr(Tensor, name): _random for name in (*IN_PLACE, "bernoulli", "multinomial")},
    functional.rrelu: _rrelu,
    functional.batch_norm: _batch_norm,
    functional.instance_norm: _instance_norm,
}
"""What makes a module no function of its parameters and inputs, by what stands in its place."""
