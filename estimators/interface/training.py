"""What `Estimator.loss` and `Estimator.step` need beside the estimator."""

import functools
import warnings

import torch

from estimators.interface.params import Params
from estimators.noise import IID

__all__ = ["fresh_source", "warn_of_nothing_learned"]


def fresh_source(params: Params) -> IID:
    """Noise that follows torch's global seed, on the device and in the dtype of the parameters."""
    some = next(iter(params.values()))
    return IID(int(torch.randint(2**62, ())), some.device, some.dtype)


@functools.cache  # once for each spec in a process, not at each step
def warn_of_nothing_learned(spec: str) -> None:
    """Warns of a loss whose estimator has learned nothing."""
    warnings.warn(
        f"{spec} has learned nothing, and loss(…) teaches it nothing: write "
        "`loss, estimator = estimator.step(problem, params, num_samples)`, or fit it before the loop",
        stacklevel=3,
    )
