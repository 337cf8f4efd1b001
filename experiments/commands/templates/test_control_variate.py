"""Does my-control-variate lower the variance alone? `pytest test_my_control_variate.py`"""

from pathlib import Path

import numpy as np
import pytest
from estimators import load_plugin, make_estimator, make_problem
from experiments import Measurement, measure

load_plugin(Path(__file__).with_name("my_control_variate.py"))
PROBLEMS = ["gaussian-quadratic:dim=2", "bernoulli-toy:dim=2,t=0.1"]


def measured(problem: str, control_variate: str) -> Measurement:
    estimator = make_estimator(f"score-function:control_variate={control_variate}")
    pair = make_problem(problem), estimator
    return measure(*pair, num_samples=8, detect=True, seed=0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_it_lowers_the_variance_and_leaves_the_mean(problem: str) -> None:
    without = measured(problem, "none")
    found = measured(problem, "my-control-variate")
    assert found.reference == "exact" and found.reference_gradient is not None
    for name, exact in found.reference_gradient.items():
        standard_error = np.sqrt(found.variance[name] / found.replicates)
        assert (abs(found.mean[name] - exact) < 5 * standard_error).all(), name
    # `unbiased` says also that a bias of 1 % would have been seen.
    assert found.verdict == "unbiased"
    assert found.total_variance.high < without.total_variance.low
