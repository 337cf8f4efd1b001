"""What `bench-compare` measures where nothing else is asked for: every mechanism once, in a quarter of an hour."""

import re

from benchmarks.cases import CASES, home, pair_of

__all__ = ["DEFAULT", "TIMED"]

TIMED = [
    "pathwise",
    "score-function:control_variate=leave-one-out",
    "exact",
    "dice",
    "forward-gradient",
    "finite-differences",
    "measure-valued",
    "disarm",
    "iwae",
    "path-derivative",
    "stratified:scheme=sobol",
    "importance-weighted",
    "per-variable",
    "policy-gradient",
]
"""One estimator of each room, whose gradient is timed."""
MEASURED = ["pathwise", "score-function:control_variate=leave-one-out", "iwae"]
"""Those whose measurement's peak memory is looked at."""


def _of(benchmark: str, values: list[str]) -> str:
    names = "|".join(re.escape(repr(value)) for value in values)
    return rf"^{re.escape(benchmark)}\((?:{names})[,)]"


AT_HOME = [pair_of(estimator, home(estimator)) for estimator in CASES]
DEFAULT = [
    _of("seeded.Seeded.track_total_variance", AT_HOME),
    _of("seeded.Seeded.track_evaluations", AT_HOME),
    _of("gradients.Gradients.time_gradient", TIMED),
    _of("whole.Memory.peakmem_measure", MEASURED),
    r"^whole\.ColdStart\.",
    r"^whole\.SweepOverhead\.",
    r"^networks\.Networks\..*\('G'\)",
]
"""Regular expressions, as those of `--bench`."""
