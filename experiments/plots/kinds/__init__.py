"""One file a figure, named as the figure: `variance_time.py` draws `variance-time`."""

from importlib import import_module
from pkgutil import iter_modules

from experiments.plots.kind import Kind

__all__ = ["KINDS"]

FOUND: list[Kind] = [import_module(module.name).KIND for module in iter_modules(__path__, f"{__name__}.")]
KINDS = {kind.name: kind for kind in sorted(FOUND, key=lambda kind: kind.place)}
"""All kinds of figure by name, in the order in which a page shows them."""
