"""Importing this module registers the estimators and control variates of gradmark (entry point `estimators`)."""

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
