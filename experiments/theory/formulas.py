"""The exact variance of gradient estimates, by quadrature: separable costs of a diagonal Gaussian.

The cost is f(x) = Σ_d c(x_d), x_d = μ + σ ε_d, in D dimensions, with the parameters μ and log σ. One entry of either
has the score s, the pathwise derivative h and the gradient g. With I = E s², v = Var c, f₀ = f − E f, a = E[f₀ s²] and
A = E[f₀² s²] = E[c₀² s²] + (D − 1) v I, the estimate from S samples has the variance

- score function: (A + 2 a E f + I (E f)² − g²) / S
- with the optimal baseline b* = E[f s²] / I (Weaver & Tao 2001): (A − a² / I − g²) / S
- leave-one-out, a U-statistic of order two (Hoeffding 1948): A / S + (D v I − (S − 2) g²) / (S (S − 1))
- pathwise: Var h / S; in antithetic pairs 2 Var[(h(ε) + h(−ε)) / 2] / S; in strata E Var[h | stratum] / S
- measure-valued: κ² Var[c(x⁺) − c(x⁻)] / S (Mohamed et al. 2020, sec. 6). For μ: x^± = μ ± σW, W Rayleigh, coupled or
  not, κ = 1/(σ√2π). For log σ: x⁺ = μ + σM, M double-sided Maxwell, x⁻ = μ + σN, N normal, coupled N = MU, κ = 1
"""

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from scipy import stats

from experiments.theory.marginal import PANELS, Marginal, marginal, normal_rule, uniform_rule

__all__ = ["exact_total_variance", "exact_variances"]


@cache
def exact_variances(estimator: str, problem: str, num_samples: int) -> dict[str, float] | None:
    """The variance of one entry of loc and of log_scale, the same in every dimension; None: not known.

    Args:
        estimator, problem: canonical specs. `optimal-baseline` is taken at b*, without the error of a fit.
    """
    formula, q = FORMULAS.get(estimator), marginal(problem)
    if formula is None or q is None:
        return None
    loc, log_scale = (formula(q, name, num_samples) for name in ("loc", "log_scale"))
    return None if loc is None or log_scale is None else {"loc": loc, "log_scale": log_scale}


def exact_total_variance(estimator: str, problem: str, num_samples: int) -> float | None:
    """The sum of `exact_variances` over all entries of both parameters; None: not known."""
    found, q = exact_variances(estimator, problem, num_samples), marginal(problem)
    return None if found is None or q is None else q.dim * sum(found.values())


def _pathwise(q: Marginal, name: str, num_samples: int) -> float:
    return q.variance(q.path(name, q.points)) / num_samples


def _antithetic(q: Marginal, name: str, num_samples: int) -> float:
    return 2 * q.variance((q.path(name, q.points) + q.path(name, -q.points)) / 2) / num_samples


def _in_strata(q: Marginal, name: str, num_samples: int, strata: Callable[[int, int], int | None]) -> float | None:
    """The other dimensions change nothing: each axis has S / strata independent points in every stratum."""
    count = strata(num_samples, q.dim)
    if count is None:
        return None
    edges = stats.norm.ppf(np.arange(1, count) / count)
    points, weights = normal_rule(np.union1d(PANELS, edges))
    values, stratum = q.path(name, points), np.searchsorted(edges, points)
    means = np.bincount(stratum, weights * values) / np.bincount(stratum, weights)
    return float(weights @ (values - means[stratum]) ** 2) / num_samples


def _side(num_samples: int, dim: int) -> int | None:
    side = round(num_samples ** (1 / dim))
    return side if side**dim == num_samples else None


def _slices(num_samples: int, dim: int) -> int:
    return num_samples


def _power_of_two(num_samples: int, dim: int) -> int | None:
    return num_samples if num_samples & (num_samples - 1) == 0 else None


def _score_function(q: Marginal, name: str, num_samples: int) -> float:
    gradient, information, _, weighted, square = _moments(q, name)
    mean = q.dim * q.mean(q.cost(q.points))
    return (square + 2 * mean * weighted + mean**2 * information - gradient**2) / num_samples


def _optimal_baseline(q: Marginal, name: str, num_samples: int) -> float:
    gradient, information, _, weighted, square = _moments(q, name)
    return (square - weighted**2 / information - gradient**2) / num_samples


def _leave_one_out(q: Marginal, name: str, num_samples: int) -> float | None:
    if num_samples < 2:
        return None
    gradient, information, variance, _, square = _moments(q, name)
    pairs = q.dim * variance * information - (num_samples - 2) * gradient**2
    return square / num_samples + pairs / (num_samples * (num_samples - 1))


def _moments(q: Marginal, name: str) -> tuple[float, float, float, float, float]:
    """g, I, v, a and A."""
    score, cost = q.score(name), q.cost(q.points)
    centred, information, variance = cost - q.mean(cost), q.mean(score**2), q.variance(cost)
    square = q.mean((centred * score) ** 2) + (q.dim - 1) * variance * information
    return q.mean(centred * score), information, variance, q.mean(centred * score**2), square


def _measure_valued(q: Marginal, name: str, num_samples: int, coupled: bool) -> float:
    weights, plus, minus, constant = _weak_derivative(q, name)
    costs = q.cost(plus), q.cost(minus)
    terms = (costs[0] - costs[1],) if coupled else costs
    return constant**2 * sum(float(weights @ term**2 - (weights @ term) ** 2) for term in terms) / num_samples


def _weak_derivative(q: Marginal, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Weights of a joint rule, its points ε⁺ and ε⁻, and κ."""
    if name == "loc":
        half = q.points > 0
        rayleigh = q.points[half]
        density = rayleigh * q.weights[half] * math.sqrt(2 * math.pi)
        return density, rayleigh, -rayleigh, 1 / (q.scale * math.sqrt(2 * math.pi))
    near = np.abs(q.points) < 9  # beyond, m² φ(m) is below the rounding of a sum
    maxwell, (uniform, weights) = q.points[near], uniform_rule()
    joint = np.outer(maxwell**2 * q.weights[near], weights).ravel()
    return joint, np.repeat(maxwell, uniform.size), np.outer(maxwell, uniform).ravel(), 1.0


FORMULAS: dict[str, Callable[[Marginal, str, int], float | None]] = {
    "pathwise": _pathwise,
    "pathwise:form=implicit": _pathwise,
    "pathwise:form=inverse-cdf": _pathwise,
    "score-function": _score_function,
    "score-function:control_variate=optimal-baseline": _optimal_baseline,
    "score-function:control_variate=leave-one-out": _leave_one_out,
    "measure-valued": partial(_measure_valued, coupled=True),
    "measure-valued:coupled=false": partial(_measure_valued, coupled=False),
    "stratified": partial(_in_strata, strata=_slices),
    "stratified:scheme=antithetic": _antithetic,
    "stratified:scheme=grid": partial(_in_strata, strata=_side),
    "stratified:scheme=sobol": partial(_in_strata, strata=_power_of_two),
}
