"""Measuring gradient estimators: `measure` for one, sweeps and their store for many."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.measurement import Measurement
    from experiments.measuring import measure
    from experiments.store import load
    from experiments.sweep import Train
    from experiments.training import Trained, train

__all__ = ["Measurement", "Train", "Trained", "load", "measure", "train"]

_HOMES = {
    "Measurement": "experiments.measurement",
    "Train": "experiments.sweep",
    "Trained": "experiments.training",
    "load": "experiments.store",
    "measure": "experiments.measuring",
    "train": "experiments.training",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the command line starts without torch and pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
