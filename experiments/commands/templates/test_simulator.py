"""Do the costs and the expected cost of my-simulator agree? `pytest test_my_simulator.py`"""

from pathlib import Path

import numpy as np
from estimators import load_plugin, make_estimator, make_problem
from experiments import measure

load_plugin(Path(__file__).with_name("my_simulator.py"))


def test_an_unbiased_estimator_finds_the_exact_gradient() -> None:
    estimator = make_estimator("score-function:control_variate=leave-one-out")
    pair = make_problem("my-simulator"), estimator
    found = measure(*pair, num_samples=8, replicates=128, seed=0)
    assert found.reference == "exact" and found.reference_gradient is not None
    for name, exact in found.reference_gradient.items():
        standard_error = np.sqrt(found.variance[name] / found.replicates)
        assert (abs(found.mean[name] - exact) < 5 * standard_error).all(), name
