# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""Families at parameters where x rounds to the edge of its support, each with the exact gradient of a bounded cost.

The cost depends on y, the logarithm or the logit of x, so that E[f] = f(−∞) + ∫ f'(y) P(Y > y) dy, by scipy's tails.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributions as td
from scipy import special, stats
from torch import Tensor
from torch.distributions import transforms as tt

from estimators import Params, Problem

__all__ = ["AT_THE_EDGE", "Edge", "exact_gradient"]


def gate(x: Tensor) -> Tensor:
    return (x - 0.4) ** 2


def gate_slope(y: np.ndarray) -> np.ndarray:
    share = special.expit(y)
    return 2 * (share - 0.4) * share * special.expit(-y)


def ratio(x: Tensor) -> Tensor:
    """x / (1 + x)."""
    return x.log().sigmoid()


def ratio_slope(y: np.ndarray) -> np.ndarray:
    return special.expit(y) * special.expit(-y)


@dataclass(frozen=True)
class Edge(Problem):
    """A bounded cost of one variable, or of the first of several."""

    make: Callable[..., td.Distribution]
    point: tuple[float, ...]
    tail: Callable[..., Any]
    """P(Y > y) of y and the parameters."""
    costs: tuple[Callable[[Tensor], Tensor], Callable[[np.ndarray], np.ndarray]] = (gate, gate_slope)
    """f of x, and df / dy."""

    @property
    def spec(self) -> str:
        return "edge"

    def initial_params(self) -> Params:
        return {f"p{i}": torch.tensor(value, dtype=torch.float64) for i, value in enumerate(self.point)}

    def distribution(self, params: Params) -> td.Distribution:
        return self.make(*params.values())

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.costs[0](x[..., 0] if x.ndim > 2 else x)


def exact_gradient(edge: Edge) -> list[float]:
    """By the trapezoidal rule in y, which is exact for slopes that vanish at both ends, and central differences."""
    y = np.linspace(-45, 45, 40_001)
    slope, step, found = edge.costs[1](y), 1e-4, []
    for i in range(len(edge.point)):
        up, down = (np.array(edge.point) + sign * step * np.eye(len(edge.point))[i] for sign in (1, -1))
        found.append(float((slope * (edge.tail(y, *up) - edge.tail(y, *down))).sum() * (y[1] - y[0]) / (2 * step)))
    return found


def beta_tail(y: np.ndarray, log_a: float, log_b: float) -> np.ndarray:
    a, b = np.exp(log_a), np.exp(log_b)
    return np.where(y < 0, 1 - special.betainc(a, b, special.expit(y)), special.betainc(b, a, special.expit(-y)))


def kumaraswamy_tail(y: np.ndarray, log_a: float, log_b: float) -> np.ndarray:
    return (-np.expm1(-np.exp(log_a) * np.logaddexp(0, -y))) ** np.exp(log_b)


def gamma_tail(y: np.ndarray, log_a: float, log_rate: float) -> np.ndarray:
    return special.gammaincc(np.exp(log_a), np.exp(y + log_rate))


def normal_tail(y: np.ndarray, loc: float, log_scale: float) -> np.ndarray:
    return special.ndtr((loc - y) / np.exp(log_scale))


def dirichlet_tail(y: np.ndarray, *logs: float) -> np.ndarray:
    return beta_tail(y, logs[0], np.log(np.exp(logs[1:]).sum()))


def standard(like: Tensor) -> td.Normal:
    return td.Normal(torch.zeros_like(like), torch.ones_like(like))


def transformed(base: td.Distribution, *transforms: tt.Transform) -> td.Distribution:
    return td.TransformedDistribution(base, list(transforms))


def _cases() -> dict[str, Edge]:
    log, of = math.log, (ratio, ratio_slope)
    found: dict[str, Edge] = {}
    for a, b in [(0.01, 0.01), (0.1, 0.1), (0.05, 2.0), (2.0, 0.05), (1e-3, 1e-3), (0.19, 0.15)]:
        logs = (log(a), log(b))
        found[f"Beta {a}, {b}"] = Edge(lambda a, b: td.Beta(a.exp(), b.exp()), logs, beta_tail)
        found[f"Kumaraswamy {a}, {b}"] = Edge(lambda a, b: td.Kumaraswamy(a.exp(), b.exp()), logs, kumaraswamy_tail)
    for alphas in [(0.01, 0.02, 0.03), (0.1, 0.1, 0.1), (1e-3, 0.1, 2.0)]:
        logs = tuple(map(log, alphas))
        found[f"Dirichlet {alphas}"] = Edge(lambda *a: td.Dirichlet(torch.stack(a, -1).exp()), logs, dirichlet_tail)
    for a, b in [(0.01, 1.0), (0.1, 2.0), (1e-3, 1.0), (0.2, 0.01)]:
        logs = (log(a), log(b))
        found[f"Gamma {a}, {b}"] = Edge(lambda a, b: td.Gamma(a.exp(), b.exp()), logs, gamma_tail, of)
        found[f"scaled Gamma {a}, {b}"] = Edge(
            lambda a, b: transformed(td.Gamma(a.exp(), torch.ones_like(b)), tt.AffineTransform(0.0, (-b).exp())),
            logs,
            gamma_tail,
            of,
        )
        found[f"InverseGamma {a}, {b}"] = Edge(
            lambda a, b: td.InverseGamma(a.exp(), b.exp()),
            logs,
            lambda y, a, b: special.gammainc(np.exp(a), np.exp(b - y)),
            of,
        )
    for k, s in [(0.02, 1.0), (0.1, 3.0), (0.005, 1.0)]:
        found[f"Weibull {k}, {s}"] = Edge(
            lambda k, s: td.Weibull(s.exp(), k.exp()),
            (log(k), log(s)),
            lambda y, k, s: np.exp(-np.exp(np.exp(k) * (y - s))),
            of,
        )
    for df in (0.05, 0.5, 3.0):
        found[f"FisherSnedecor {df}"] = Edge(
            lambda a, b: td.FisherSnedecor(a.exp(), b.exp()),
            (log(df), log(2 * df)),
            lambda y, a, b: beta_tail(y + a - b, a - log(2), b - log(2)),
            of,
        )
    for df in (0.5, 3.0):
        found[f"StudentT {df}"] = Edge(
            lambda df, loc: td.StudentT(df.exp(), loc, 1.0),
            (log(df), 0.5),
            lambda y, df, loc: stats.t.sf(y - loc, np.exp(df)),
            (torch.sigmoid, ratio_slope),
        )
    return found | _squashed() | _half_lines()


def _squashed() -> dict[str, Edge]:
    found: dict[str, Edge] = {}
    for loc, scale in [(8.0, 2.0), (0.0, 30.0), (3.0, 1.65), (20.0, 9.0)]:
        logs = (loc, math.log(scale))
        found[f"squashed {loc}, {scale}"] = Edge(
            lambda m, s: transformed(td.Normal(m, s.exp()), tt.SigmoidTransform()), logs, normal_tail
        )
        found[f"squashed flow {loc}, {scale}"] = Edge(
            lambda m, s: transformed(
                standard(m), tt.ComposeTransform([tt.AffineTransform(m, s.exp()), tt.SigmoidTransform()], cache_size=1)
            ),
            logs,
            normal_tail,
        )
        found[f"LogisticNormal {loc}, {scale}"] = Edge(
            lambda m, s: td.LogisticNormal(m.unsqueeze(-1), s.exp().unsqueeze(-1)), logs, normal_tail
        )
        found[f"tanh {loc}, {scale}"] = Edge(
            lambda m, s: transformed(
                td.Normal(m, s.exp()), tt.TanhTransform(cache_size=1), tt.AffineTransform(0.5, 0.5)
            ),
            logs,
            lambda y, m, s: normal_tail(y / 2, m, s),
        )
    for logit, heat in [(0.0, 0.05), (-5.0, 0.05), (2.0, 0.01)]:
        found[f"RelaxedBernoulli {logit}, {heat}"] = Edge(
            lambda a, heat=heat: td.RelaxedBernoulli(torch.tensor(heat).to(a), logits=a),
            (logit,),
            lambda y, a, heat=heat: special.expit(a - y * heat),
        )
        found[f"RelaxedOneHotCategorical {logit}, {heat}"] = Edge(
            lambda a, b, heat=heat: td.RelaxedOneHotCategorical(
                torch.tensor(heat).to(a), logits=torch.stack([a, b], -1)
            ),
            (logit, 0.3),
            lambda y, a, b, heat=heat: special.expit(a - b - y * heat),
        )
    return found


def _half_lines() -> dict[str, Edge]:
    found: dict[str, Edge] = {}
    for scale in (1e-3, 1.0, 1e4):
        found[f"HalfCauchy {scale}"] = Edge(
            lambda s: td.HalfCauchy(s.exp()),
            (math.log(scale),),
            lambda y, s: 2 / np.pi * np.arctan(np.exp(s - y)),
            (ratio, ratio_slope),
        )
        found[f"HalfNormal {scale}"] = Edge(
            lambda s: td.HalfNormal(s.exp()),
            (math.log(scale),),
            lambda y, s: 2 * special.ndtr(-np.exp(y - s)),
            (ratio, ratio_slope),
        )
    return found


AT_THE_EDGE = _cases()
