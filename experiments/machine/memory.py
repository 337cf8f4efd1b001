"""The most memory that tensors hold at once while a function runs, on CPU and CUDA."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["peak_memory"]

MADE_ELSEWHERE = torch.ops.aten.lift_fresh.default
"""Says that memory of numpy's or Python's has become a tensor's."""


def peak_memory(step: Callable[[], object], device: torch.device) -> int:
    """Bytes held at once by tensors that `step` makes; on CUDA as the allocator counts them.

    On the CPU it counts the storages of all results of torch operations, and of tensors made from arrays (such as the
    words that numpy draws for bulk noise), while they live. That is less than the process takes: what an operation
    takes while it works, and what a compiled function holds inside are not seen.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _LiveStorages() as live:
        step()
    return live.peak


class _LiveStorages(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled inside, and torch would import its compiler to say so: a second, and 50 MB."""
        return False

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self.known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = () if func is MADE_ELSEWHERE else tree_leaves((args, kwargs))
        inputs = {id(leaf.untyped_storage()) for leaf in given if isinstance(leaf, torch.Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if id(storage) not in inputs and storage not in self.known:
                    self._hold(storage)
        return result

    def _hold(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.known.add(storage)
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.held -= size
