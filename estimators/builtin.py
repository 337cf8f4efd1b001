"""Importing this module registers the estimators and control variates of gradmark (entry point `estimators`)."""

from estimators import (  # noqa: F401
    exact,
    finite_differences,
    importance_weighted,
    lax,
    learned_baselines,
    measure_valued,
    muprop,
    pathwise,
    random_directions,
    regression,
    sample_baselines,
    score_function,
    stratified,
    taylor,
)
