"""From replicates of a gradient estimate to variances, biases, intervals and verdicts (numpy and scipy.stats only)."""

from experiments.statistics.alignment import Alignment, alignment, relative_distance, relative_error, resemblance
from experiments.statistics.bias import leave_one_out_error, mean_squared_error, signal_to_noise, squared_bias
from experiments.statistics.derived import (
    cosine,
    log_median_standard_error,
    log_standard_error,
    ratio,
    relative_bias,
    relative_half_width,
    sample_mean,
    work_normalized,
)
from experiments.statistics.events import never_varied
from experiments.statistics.groups import GROUPS, Groups, jackknife_error, projected
from experiments.statistics.interval import Interval
from experiments.statistics.power_law import PowerLaw, fit_logarithms, fit_power_law
from experiments.statistics.shares import shared_part
from experiments.statistics.variance import (
    kurtosis,
    leave_one_out_log_variance,
    log_jackknife,
    parameter_variances,
    total_variance,
)
from experiments.statistics.verdict import (
    ALPHA,
    ROUNDING,
    TOLERANCE,
    BiasTest,
    Verdict,
    bias_test,
    rounding_floor,
    shortage,
)
from experiments.statistics.work import Work

__all__ = [
    "ALPHA",
    "GROUPS",
    "ROUNDING",
    "TOLERANCE",
    "Alignment",
    "BiasTest",
    "Groups",
    "Interval",
    "PowerLaw",
    "Verdict",
    "Work",
    "alignment",
    "bias_test",
    "cosine",
    "fit_logarithms",
    "fit_power_law",
    "jackknife_error",
    "kurtosis",
    "leave_one_out_error",
    "leave_one_out_log_variance",
    "log_jackknife",
    "log_median_standard_error",
    "log_standard_error",
    "mean_squared_error",
    "never_varied",
    "parameter_variances",
    "projected",
    "ratio",
    "relative_bias",
    "relative_distance",
    "relative_error",
    "relative_half_width",
    "resemblance",
    "rounding_floor",
    "sample_mean",
    "shared_part",
    "shortage",
    "signal_to_noise",
    "squared_bias",
    "total_variance",
    "work_normalized",
]
