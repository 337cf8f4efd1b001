"""Are estimates of my-program right, and its costs known when it says so? `pytest test_my_program.py`"""

from pathlib import Path

import numpy as np
from estimators import load_plugin, make_estimator, make_problem
from experiments import measure

load_plugin(Path(__file__).with_name("my_program.py"))
SCORE = "score-function:control_variate=leave-one-out"


def found(estimator: str):
    pair = make_problem("my-program"), make_estimator(estimator)
    return measure(*pair, num_samples=8, replicates=8_192, seed=0)


def test_costs_count_for_the_variables_that_they_depend_on():
    """A cost that is yielded too early is not credited to what comes after it."""
    to_go, total = found(SCORE), found(f"{SCORE},credit=total")
    for name, mean in to_go.mean.items():
        variance = to_go.variance[name] + total.variance[name]
        standard_error = np.sqrt(variance / to_go.replicates)
        assert (abs(mean - total.mean[name]) < 5 * standard_error).all(), name
