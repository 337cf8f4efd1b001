"""Do the cost and the expected cost of my-program agree? `pytest test_my_program.py`"""

from pathlib import Path

import numpy as np
import pytest
from estimators import load_plugin, make_estimator, make_problem
from experiments import measure

load_plugin(Path(__file__).with_name("my_program.py"))
UNBIASED = ["score-function", "score-function:control_variate=leave-one-out"]


@pytest.mark.parametrize("estimator", UNBIASED)
def test_unbiased_estimators_find_the_exact_gradient(estimator: str) -> None:
    pair = make_problem("my-program"), make_estimator(estimator)
    found = measure(*pair, num_samples=8, detect=True, seed=0)
    assert found.reference == "exact" and found.reference_gradient is not None
    for name, exact in found.reference_gradient.items():
        standard_error = np.sqrt(found.variance[name] / found.replicates)
        assert (abs(found.mean[name] - exact) < 5 * standard_error).all(), name
    assert found.verdict != "biased"
    # A bias of 1 % would have been seen.
    assert found.detectable_bias is not None and found.detectable_bias <= 0.01
