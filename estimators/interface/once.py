"""What a surrogate asks for twice, computed once: such as a network in both q and the cost."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch  # pyright: ignore
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["computed_once", "keep", "once"]

_results: ContextVar[tuple[Any, dict[Any, Any]] | None] = ContextVar("results", default=None)


@contextlib.contextmanager
def computed_once() -> Iterator[None]:
    """What `once` computes in this block is kept until its end, or that of the block around it.

    A compiler does the same by itself.
    """
    if torch.compiler.is_compiling() or _kept() is not None:
        yield
        return
    token = _results.set((_level(), {}))
    try:
        yield
    finally:
        _results.reset(token)


def once(compute: Callable[[], Any], what: tuple[Any, ...], tensors: list[Tensor]) -> Any:
    """Tensors that follow from `what` and from these very tensors: computed, or a copy of what was computed before.

    A copy, since either may be written to. Inside of a function transform that began later nothing is kept.
    """
    if torch.compiler.is_compiling() or (kept := _kept()) is None:
        return compute()
    _, found, versions = kept.get(_key(what, tensors), (None, None, None))
    if versions is not None and _versions(found) == versions:
        return tree_map(torch.clone, found)
    found = compute()
    keep(found, what, tensors)
    return found


def keep(found: Any, what: tuple[Any, ...], tensors: list[Tensor]) -> None:
    """Keep what has come out beside something else, for whoever asks for it by `once`."""
    if not torch.compiler.is_compiling() and (kept := _kept()) is not None:
        # The tensors too: so that no other gets the place of one of them.
        kept[_key(what, tensors)] = tensors, found, _versions(found)


def _kept() -> dict[Any, Any] | None:
    """None outside of a block, and inside of a function transform that began later."""
    held = _results.get()
    return held[1] if held is not None and held[0] == _level() else None


def _key(what: tuple[Any, ...], tensors: list[Tensor]) -> tuple[Any, ...]:
    """Where no tensor has a derivative, it makes no difference whether derivatives are recorded."""
    recorded = torch.is_grad_enabled() and any(one.requires_grad for one in tensors)
    return what, recorded, *((id(one), one._version) for one in tensors)


def _versions(found: Any) -> list[int]:
    """How often each of the tensors was written to."""
    return [one._version for one in tree_leaves(found)]


def _level() -> Any:
    """The innermost function transform, such as `torch.func.grad`."""
    stack = _functorch.peek_interpreter_stack()
    return None if stack is None else stack.level()
