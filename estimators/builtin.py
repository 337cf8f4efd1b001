"""Importing this module registers every estimator and control variate that gradmark ships (entry point `estimators`)."""

from estimators import (  # noqa: F401
    exact,
    importance_weighted,
    learned_baselines,
    pathwise,
    sample_baselines,
    score_function,
    stratified,
    taylor,
)
