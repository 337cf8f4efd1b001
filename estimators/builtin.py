"""Importing this module registers the estimators and control variates of gradmark (entry point `estimators`).

The modules of the algorithm rooms are found by walking them, so that a new one is a new file and nothing else.
"""

from importlib import import_module
from pkgutil import iter_modules

from estimators import (
    bounds,
    by_slopes,
    by_variable,
    control_variates,
    discrete,
    measure_valued,
    path_controls,
    policies,
    wrappers,
    zeroth_order,
)

__all__ = ["ROOMS"]

ROOMS = (
    control_variates,
    path_controls,
    zeroth_order,
    measure_valued,
    discrete,
    by_slopes,
    bounds,
    wrappers,
    policies,
    by_variable,
)
"""The packages in which an estimator or a control variate is one file."""

for name in ("exact", "pathwise", "score_function", "dice", "forward_gradient"):
    import_module(f"estimators.{name}")
for room in ROOMS:
    for module in iter_modules(room.__path__, f"{room.__name__}."):
        import_module(module.name)
