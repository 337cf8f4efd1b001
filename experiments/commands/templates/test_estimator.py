"""Is my-estimator what it says it is? `pytest test_my_estimator.py`"""

from pathlib import Path

import numpy as np
import pytest
from estimators import load_plugin, make_estimator, make_problem
from experiments import measure

load_plugin(Path(__file__).with_name("my_estimator.py"))
PROBLEMS = ["gaussian-quadratic:dim=2", "bernoulli-toy:dim=2,t=0.1"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_its_mean_is_the_exact_gradient(problem: str) -> None:
    pair = make_problem(problem), make_estimator("my-estimator")
    found = measure(*pair, num_samples=8, detect=True, seed=0)
    assert found.reference == "exact" and found.reference_gradient is not None
    for name, exact in found.reference_gradient.items():
        standard_error = np.sqrt(found.variance[name] / found.replicates)
        assert (abs(found.mean[name] - exact) < 5 * standard_error).all(), name
    # `unbiased` says also that a bias of 1 % would have been seen.
    assert found.verdict == "unbiased"


def test_a_single_sample_is_refused_with_a_reason() -> None:
    problem = make_problem("gaussian-quadratic")
    assert make_estimator("my-estimator").unsupported(problem, num_samples=1)
