"""The problems that gradmark ships; importing this package registers them (entry point `problems`)."""

from experiments.problems import (  # noqa: F401
    bernoulli,
    beta_cost,
    categorical,
    digits_sbn,
    digits_vae,
    dirichlet_cost,
    exponential_quadratic,
    gamma_cost,
    gaussian,
    gaussian_full_covariance,
    linear_gaussian,
    log_parameterization,
    logistic_regression,
    lognormal_cost,
    mixture_cost,
    poisson_quadratic,
    random_walk,
    student_t_cost,
    von_mises_cost,
)
