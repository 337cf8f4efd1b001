"""The laws that scores and sums of squares follow, by the names and with the figures of scipy.stats.

Its import takes a quarter of the start of a worker process, and a call of `t.ppf` a hundred times that of the function
below it.
"""

from typing import Any, final

import numpy as np
from scipy import special

__all__ = ["chi2", "norm", "t"]

# Numbers or arrays, as NumPy takes them.
Value = Any


@final
class norm:
    @staticmethod
    def ppf(q: Value) -> Value:
        return special.ndtri(q)

    @staticmethod
    def sf(x: Value) -> Value:
        return special.ndtr(-x)

    @staticmethod
    def isf(q: Value) -> Value:
        return -special.ndtri(q)


@final
class t:
    @staticmethod
    def ppf(q: Value, df: Value) -> Value:
        """For q above 0."""
        return special.stdtrit(df, q)

    @staticmethod
    def sf(x: Value, df: Value) -> Value:
        return special.stdtr(df, -x)


@final
class chi2:
    @staticmethod
    def sf(x: Value, df: Value) -> Value:
        return np.where(np.greater(df, 0), special.chdtrc(df, np.maximum(x, 0)), np.nan)
