"""The exit codes of the command line; the README also lists them."""

__all__ = ["FAILED", "INTERRUPTED", "NOTHING", "REFUTED", "USAGE", "WELL"]

WELL = 0
FAILED = 1
"""Some cells or estimators failed, a figure stays undecided, or the workers were lost."""
USAGE = 2
"""Bad usage, or a sweep that says too little."""
REFUTED = 3
"""A claim was refuted, a published figure differs, something got worse, or a bundle is not what it was."""
NOTHING = 4
"""Nothing to measure or to compare, or not all that was to be."""
INTERRUPTED = 130
