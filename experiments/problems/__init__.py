"""The problems that gradmark ships; importing this package registers them (entry point `problems`)."""

from experiments.problems import (  # noqa: F401
    bernoulli,
    exponential_quadratic,
    gamma_cost,
    gaussian,
    logistic_regression,
    poisson_quadratic,
)
