"""The figures of scipy.stats, to the last bit, without its import."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import laws

Q = np.array([0.0, 1e-300, 1e-12, 0.001 / 6, 0.025, 0.5, 0.975, 0.99, 1 - 1e-12, 1.0, np.nan])
X = np.array([-np.inf, -40.0, -3.3, -1e-9, 0.0, 1e-300, 0.7, 5.0, 38.0, 1e8, np.inf, np.nan])
DF = np.array([0.0, 0.5, 1, 2, 4, 24, 63, 1e4, 1e12, np.nan])[:, None]


@pytest.mark.parametrize(("law", "function"), [("t", "ppf"), ("t", "sf"), ("chi2", "sf")])
def test_laws_with_degrees_of_freedom(law: str, function: str) -> None:
    points = Q[1:] if function == "ppf" else X
    found, wanted = (getattr(getattr(module, law), function)(points, DF) for module in (laws, stats))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("function", "points"), [("ppf", Q), ("isf", Q), ("sf", X)])
def test_the_normal(function: str, points: np.ndarray) -> None:
    found, wanted = (getattr(module.norm, function)(points) for module in (laws, stats))
    np.testing.assert_array_equal(found, wanted)


def test_a_worker_imports_neither_scipy_stats_nor_pandas_nor_the_compiler_of_torch() -> None:
    """When it measures a cell, too: each of these takes half a second or more."""
    dear = "{'scipy.stats', 'pandas', 'matplotlib', 'torch._dynamo', 'sympy'}"
    cell = "Cell('pathwise', 'gaussian-quadratic:dim=2', 4, stop=Stop(replicates=64))"
    names = "from experiments.engine.work import measure_cell; from experiments.sweep import Cell, Stop"
    text = f"import sys; {names}; measure_cell({cell}); print({dear} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
