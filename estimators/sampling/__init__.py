"""From (distribution, noise) to x: knows no cost. Importing it registers the distributions that gradmark knows."""

from estimators.sampling import distributions

__all__ = ["distributions"]
