"""A function of one's own from rewards to advantages, as training libraries have it."""

import contextlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.answers import needs_a_policy, of_tokens
from estimators.interface import ControlVariate, Problem, ScoredSamples, Traits
from estimators.registry import register_control_variate
from estimators.registry.faults import message, raised_at
from estimators.registry.named import attribute

__all__ = ["Advantages"]

GIVEN: dict[str, str] = {
    "rewards": "rewards",
    "scores": "rewards",
    "token_level_rewards": "token rewards",
    "lengths": "lengths",
    "mask": "mask",
    "response_mask": "mask",
    "eos_mask": "mask",
    "index": "index",
}
"""What a parameter of a name is given; a first parameter of another name is given the rewards."""
OF_TOKENS = {"lengths", "mask", "token rewards"}


@final
@register_control_variate("advantages")
@dataclass(frozen=True)
class Advantages(ControlVariate):
    r"""What a function of one's own makes of the rewards of a group, in place of minus the cost.

    `function` is `module:function`, of a module in this folder or an installed one. It is called for each group of S
    answers with their rewards `[S]`, minus the costs of whole answers, and, where it has parameters of these names,
    with `lengths` `[S]`, `mask` (or `response_mask`) `[S, T]`, `token_level_rewards` `[S, T]` and `index` `[S]`, the
    same for all. It returns advantages `[S]` or `[S, T]`, or a tuple that begins with them.

    Nothing is known of it, so that it claims to be unbiased, and is measured: `gradmark check` and `rank` say whether
    its gradient is that of the expected cost. The score is weighed by minus the advantages, of all tokens of an answer.
    """

    function: str = ""

    def __post_init__(self) -> None:
        if self.function:
            _found(self.function)

    @classmethod
    def variants(cls) -> list[str]:
        """None: there is no function to begin with."""
        return []

    @property
    def traits(self) -> Traits:
        return Traits(independent_samples=True, costs_alone=True)

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not self.function:
            return "advantages needs a function: write advantages:function=module:name"
        of_answers = OF_TOKENS & {*_found(self.function)[1].values()}
        return needs_a_policy(problem, f"{self.spec}, which asks for {sorted(of_answers)[0]},") if of_answers else None

    @property
    def sources(self) -> tuple[str, ...]:
        """The file of the function."""
        file = inspect.getsourcefile(inspect.unwrap(_found(self.function)[0])) if self.function else None
        return (file,) if file else ()

    def term(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        return (samples.cost + self._advantages(samples)) * samples.score

    @torch.no_grad()
    def _advantages(self, samples: ScoredSamples) -> Float[Tensor, "S *V R"]:
        cost = samples.cost if samples.variables else samples.cost.unsqueeze(1)
        to_go = cost.unflatten(1, (max(len(samples.variables), 1), -1)).flatten(2)  # [S, V, N R]
        asked = _found(self.function)[1]
        given: dict[str, Any] = {"rewards": -to_go[:, 0], "index": np.zeros(len(to_go), dtype=int)}
        if OF_TOKENS & {*asked.values()}:
            if not samples.variables:
                raise ValueError(f"{self.function} asks for tokens, which policy-gradient has, and not credit=total")
            mask = of_tokens(samples).counts
            mask = (mask if mask.ndim == 4 else mask.unsqueeze(3)).transpose(2, 3).flatten(2)
            given |= {"mask": mask, "lengths": mask.sum(1), "token rewards": _at_the_end(-to_go[:, 0], mask)}
        each = self._of_groups({name: given[what] for name, what in asked.items()}, to_go)
        return each.to(cost).reshape(samples.cost.shape)

    def _of_groups(self, given: dict[str, Any], like: Float[Tensor, "S V C"]) -> Float[Tensor, "S V C"]:
        """Of all C groups; in one call where the function can be mapped over them."""
        called, tensors = _found(self.function)[0], all(isinstance(value, Tensor) for value in given.values())

        def one(own: dict[str, Any]) -> Tensor:
            return self._checked(called(**own), *like.shape[:2])

        if tensors:
            with contextlib.suppress(Exception):  # what cannot be mapped, or fails: one by one it tells more
                copies = {name: value.clone() for name, value in given.items()}
                return torch.func.vmap(one, in_dims=-1, out_dims=-1)(copies)
        found = []
        for column in range(like.shape[-1]):
            try:
                found.append(one({n: v[..., column].clone() if isinstance(v, Tensor) else v for n, v in given.items()}))
            except Exception as error:
                told = message(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {message(error)}"
                raise ValueError(f"{self.function}: {told}{raised_at(error)}") from error
        return torch.stack(found, -1)

    @staticmethod
    def _checked(found: Any, samples: int, variables: int) -> Float[Tensor, "S V"]:
        """What was returned for one group. ValueError: it is something else than advantages."""
        found = found[0] if isinstance(found, tuple) else found
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if shape not in ([samples], [samples, variables]):
            wanted = f"[{samples}] or [{samples}, {variables}]"
            raise ValueError(f"it must return advantages, a tensor {wanted}, and not {shape}")
        return found if found.ndim == 2 else found.unsqueeze(1).expand(samples, variables)


def _at_the_end(rewards: Float[Tensor, "S C"], mask: Float[Tensor, "S V C"]) -> Float[Tensor, "S V C"]:
    """The reward of an answer at its last token that counts, as training libraries have it."""
    last = (mask * torch.arange(1, 1 + mask.shape[1]).to(mask).reshape(-1, 1)).argmax(1, keepdim=True)
    return torch.zeros_like(mask).scatter(1, last, rewards.unsqueeze(1))


@cache
def _found(function: str) -> tuple[Callable[..., Any], dict[str, str]]:
    """The function, and what each of its parameters is given. ValueError: there is none, or it asks for more."""
    module, _, name = function.rpartition(":")
    if not module or not name:
        raise ValueError(f"function must be module:name, like recipes:advantages, not '{function}'")
    try:
        found = attribute(module, name)
    except ImportError as error:
        raise ValueError(f"{module} cannot be imported: {message(error)}") from error
    if not callable(found):
        raise ValueError(f"{function} is a {type(found).__name__}, which cannot be called")
    asked = {}
    for place, parameter in enumerate(inspect.signature(found).parameters.values()):
        if parameter.name in GIVEN or (place == 0 and parameter.kind in (0, 1)):
            asked[parameter.name] = GIVEN.get(parameter.name, "rewards")
        elif parameter.default is parameter.empty and parameter.kind not in (2, 4):
            raise ValueError(f"{function} asks for '{parameter.name}'; what there is: {', '.join(GIVEN)}")
    return found, asked
