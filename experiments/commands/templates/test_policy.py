"""Is each action of my-policy credited with what follows? `pytest test_my_policy.py`"""

from pathlib import Path

import numpy as np
from estimators import load_plugin, make_estimator, make_problem
from experiments import Measurement, measure

load_plugin(Path(__file__).with_name("my_policy.py"))


def measured(credit: str) -> Measurement:
    pair = make_problem("my-policy"), make_estimator(f"score-function:credit={credit}")
    return measure(*pair, num_samples=8, replicates=2048, seed=0)


def test_costs_to_go_lower_the_variance_and_leave_the_mean() -> None:
    """The variance would be the same, had all costs been yielded at the end."""
    found, whole = measured("to-go"), measured("total")
    # The sum over all episodes, where they are few: then nothing but actions is random.
    assert found.reference == "exact" and found.reference_gradient is not None
    for name, exact in found.reference_gradient.items():
        standard_error = np.sqrt(found.variance[name] / found.replicates)
        assert (abs(found.mean[name] - exact) < 5 * standard_error).all(), name
    assert found.total_variance.high < whole.total_variance.low
