"""Made-up `cells` with the columns of the store, for the tests of figures and report."""

from itertools import product
from typing import Any

import pandas as pd

from experiments.statistics import Interval
from experiments.store import CELL_COLUMNS
from experiments.store.derived import derived

__all__ = ["ESTIMATORS", "PROBLEMS", "K", "along_k", "cell", "frame", "grid"]

ESTIMATORS = [
    "exact",
    "pathwise",
    "score-function",
    "score-function:control_variate=leave-one-out",
    "stratified:base=(score-function:control_variate=leave-one-out),scheme=sobol",
    "importance-weighted:base=pathwise,proposal=defensive,scale=1.5",
    "gumbel-softmax:hard=true,temperature=0.3",
    *(f"finite-differences:common_noise=false,step=0.{digit}" for digit in range(1, 10)),
]
PROBLEMS = [
    "gaussian-quadratic",
    "bernoulli-toy:dim=200,logit=0.5,t=0.1",
    "log-parameterization:distribution=exponential,parameterization=softplus,scale=0.001",
    *(f"gaussian-cosine:dim=100,k={k}" for k in range(2, 6)),
]
K = (0.1, 1.0, 10.0, 100.0)


def cell(estimator: str = "pathwise", problem: str = "gaussian-quadratic", num_samples: int = 10, **known: Any) -> dict:
    """A done and timed cell. `known`: columns; a quantity may be (value, low, high), the rest follows from it."""
    columns: dict[str, Any] = dict.fromkeys(CELL_COLUMNS)
    columns |= {"estimator": estimator, "problem": problem, "num_samples": num_samples, "status": "done"}
    columns |= {"key": f"{estimator} {problem} {num_samples}", "device": "cpu", "dtype": "float32", "seed": 0}
    columns |= {
        "batch": 0,
        "order": 1,
        "compile": False,
        "timing_status": "done",
        "attempts": 1,
        "fitted": False,
        "warnings": "",
    }
    columns |= {"verdict": "unbiased", "claim": "unbiased", "gradient_norm": 2.0, "reference": "exact", "nonfinite": 0}
    columns |= {"evaluations": 0 if estimator == "exact" else num_samples}
    columns |= {"replicates": 20_000, "stop_reason": "precision", "device_name": "Xeon", "diagnostics": "{}"}
    quantities = {
        "total_variance": (40.0 / num_samples, 38.0 / num_samples, 42.0 / num_samples),
        "squared_bias": (1e-4, -2e-4, 5e-4),
        "mse": (4.0, 3.8, 4.2),
        "seconds_per_gradient": (2e-5 * num_samples, 1.9e-5 * num_samples, 2.2e-5 * num_samples),
        "work_normalized_variance": (8e-4, 7e-4, 9e-4),
        "work_normalized_mse": (8e-4, 7e-4, 9e-4),
    }
    for name, value in (quantities | known).items():
        if isinstance(value, tuple):
            columns |= dict(zip(Interval.columns(name), value, strict=True))
        else:
            columns[name] = value
    return columns


def frame(*cells: dict) -> pd.DataFrame:
    """Cells as `load` gives them: NaN for a missing number, None for a missing text."""
    columns = pd.DataFrame(list(cells), columns=list(CELL_COLUMNS), dtype=object)
    kinds = {name: "float64" for name, kind in CELL_COLUMNS.items() if kind == "REAL"}
    kinds |= {
        "num_samples": "int64",
        "batch": "int64",
        "evaluations": "Int64",
        "seed": "int64",
        "compile": "bool",
        "fitted": "bool",
    }
    return derived(columns.astype(kinds))


def grid(estimators: int, problems: int, num_samples: tuple[int, ...] = (1, 10, 100)) -> pd.DataFrame:
    """Every estimator on every problem: different in variance and time, one in three biased, `exact` without noise."""
    cells = []
    for (i, estimator), problem, s in product(enumerate(ESTIMATORS[:estimators]), PROBLEMS[:problems], num_samples):
        variance = 0.0 if estimator == "exact" else 10.0 ** (4 - 0.7 * i) / s
        bias = (0.0, 0.0, 0.0) if estimator == "exact" else (-1e-3 * variance, -3e-3 * variance, 5e-3 * variance)
        biased = i % 3 == 2
        cells.append(
            cell(
                estimator,
                problem,
                s,
                total_variance=(variance, 0.9 * variance, 1.1 * variance),
                squared_bias=(0.4, 0.35, 0.45) if biased else bias,
                seconds_per_gradient=tuple(1e-5 * (i + 1 + 0.1 * s) * x for x in (1.0, 0.95, 1.1)),
                verdict="biased" if biased else "unbiased",
            )
        )
    return frame(*cells)


def along_k(name: str = "gaussian-quadratic:dim=1", **known) -> list[dict]:
    """A cell for each k; the option's default, 0, stands in no spec."""
    return [
        cell("pathwise", f"{name},k={k:g}", 1, key=f"{name} {k}", total_variance=(5 * k, 4 * k, 6 * k), **known)
        for k in K
    ]
