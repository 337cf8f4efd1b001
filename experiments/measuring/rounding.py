"""What float32 does to gradient estimates: their range, what leaves it, and the error against float64."""

import numpy as np
import torch

from estimators.sampling.unchecked import without_validation
from experiments.gradients.float64 import gradient_in_float64
from experiments.gradients.workload import Workload, flatten

__all__ = ["rounding", "rounding_noise", "rounding_shift"]


def rounding(workload: Workload) -> dict[str, float]:
    """The gradient estimates of the first chunk, entry by entry, against float64 at the same parameters and noise.

    Parameters and noise enter both as the dtype of the workload holds them: the difference is that of the arithmetic.

    - `overflows`, `nans`, `underflows`: the number of entries that are infinite, NaN, or 0 where float64's are not
    - `smallest_gradient`, `largest_gradient`: magnitudes of the entries that are finite and not 0
    - `median_relative_error`, `largest_relative_error`: over the entries that are finite and not 0 in float64

    A figure for which there are no entries is left out.
    """
    found, exact = workload.gradients(0).double().cpu().numpy(), _in_float64(workload)
    magnitudes = np.abs(found[np.isfinite(found) & (found != 0)])
    comparable = np.isfinite(found) & np.isfinite(exact) & (exact != 0)
    errors = np.abs(found[comparable] / exact[comparable] - 1)
    figures = {
        "overflows": float((np.isinf(found) & ~np.isinf(exact)).sum()),
        "nans": float((np.isnan(found) & ~np.isnan(exact)).sum()),
        "underflows": float(((found == 0) & (exact != 0)).sum()),
    }
    if magnitudes.size:
        figures |= {"smallest_gradient": float(magnitudes.min()), "largest_gradient": float(magnitudes.max())}
    if errors.size:
        figures |= {"median_relative_error": float(np.median(errors)), "largest_relative_error": float(errors.max())}
    return figures


def rounding_shift(workload: Workload) -> np.ndarray:
    """The most that rounding moves each entry of the mean estimate, `[P]`, as far as the first chunk can tell."""
    errors = _errors(workload)
    return np.abs(errors.mean(0)) + 3 * errors.std(0) / len(errors) ** 0.5


def rounding_noise(workload: Workload) -> np.ndarray:
    """What rounding does to each entry of an estimate, `[P]`, as a root mean square over the first chunk."""
    return (_errors(workload) ** 2).mean(0) ** 0.5


def _errors(workload: Workload) -> np.ndarray:
    """The estimates of the first chunk less those of float64, `[R, P]`; 0 where float64 has nothing to compare with."""
    found = workload.gradients(0).double().cpu().numpy()
    try:
        errors = found - _in_float64(workload)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # a component that is written for one dtype
        return np.zeros_like(found)
    return np.where(np.isfinite(errors).all(0), errors, 0.0)


def _in_float64(workload: Workload) -> np.ndarray:
    """`workload.gradients(0)` as float64 computes them."""
    params, noise = workload.params(workload.chunk), workload.noise(0)
    with without_validation():
        found = gradient_in_float64(workload.problem, workload.estimator, params, noise)
    return flatten(found).cpu().numpy()
