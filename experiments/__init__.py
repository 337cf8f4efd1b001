"""Measuring gradient estimators: `measure` for one, sweeps and their store for many."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.measurement import Measurement
    from experiments.measuring import measure
    from experiments.store import load

__all__ = ["Measurement", "load", "measure"]

_HOMES = {
    "Measurement": "experiments.measurement",
    "load": "experiments.store",
    "measure": "experiments.measuring",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the command line starts without torch and pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
