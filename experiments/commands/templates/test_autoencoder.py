"""Do two ways to the gradient of my-autoencoder agree? `pytest test_my_autoencoder.py`"""

from pathlib import Path

import numpy as np
from estimators import load_plugin, make_estimator, make_problem
from experiments import Measurement, measure

load_plugin(Path(__file__).with_name("my_autoencoder.py"))


def measured(estimator: str) -> Measurement:
    pair = make_problem("my-autoencoder"), make_estimator(estimator)
    return measure(*pair, num_samples=8, replicates=1024, seed=0)


def test_derivatives_through_z_agree_with_scores_of_q() -> None:
    """They would not if the cost jumped in z, or if z were detached."""
    found = measured("pathwise")
    other = measured("score-function:control_variate=leave-one-out")
    for name, mean in found.mean.items():
        variance = found.variance[name] + other.variance[name]
        error = np.sqrt(variance / found.replicates)
        assert (abs(mean - other.mean[name]) <= 5 * error).all(), name
        assert mean.any(), f"no derivative reaches {name}"
