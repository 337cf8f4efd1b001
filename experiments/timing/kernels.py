"""How long a GPU computes, without the gaps between its kernels."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

__all__ = ["kernel_seconds"]

CALLS = 5


def kernel_seconds(step: Callable[[], object], device: torch.device) -> float:
    """The time of all kernels of a warm step, in seconds; NaN on a CPU, or where tracing is not allowed.

    Events around a step would also count the gaps between its kernels, so that the kernels are traced one by one.
    """
    if device.type != "cuda":
        return float("nan")
    with profile(activities=[ProfilerActivity.CUDA]) as traced:
        for _ in range(CALLS):
            step()
        torch.cuda.synchronize(device)
    microseconds = sum(event.self_device_time_total for event in traced.key_averages())
    return microseconds * 1e-6 / CALLS if microseconds else float("nan")
