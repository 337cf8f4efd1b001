"""What measurements are compared with: variances known by quadrature."""

from experiments.theory.formulas import exact_total_variance, exact_variances

__all__ = ["exact_total_variance", "exact_variances"]
