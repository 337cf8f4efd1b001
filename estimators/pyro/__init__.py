"""Models and guides of Pyro as programs: the only room that imports Pyro, and only where it is asked for."""

from estimators.pyro.converting import from_pyro

__all__ = ["from_pyro"]
