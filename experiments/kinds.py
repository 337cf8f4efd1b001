"""The names of the figures, for those who cannot wait for matplotlib."""

__all__ = ["KIND_NAMES"]

KIND_NAMES = (
    "variance",
    "bias",
    "variance-time",
    "variance-evaluations",
    "snr",
    "signals",
    "work",
    "parameters",
    "option",
    "rates",
    "rounding",
    "range",
    "training",
    "training-time",
)
