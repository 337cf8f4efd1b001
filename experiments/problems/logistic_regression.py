"""Bayesian logistic regression on the breast-cancer data."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import softplus

from estimators.interface import Params, VariationalProblem
from estimators.noise import NoiseSource
from estimators.registry import register_problem
from experiments.problems.options import check_options
from experiments.problems.quadrature import gaussian_nodes
from experiments.problems.tables import table

__all__ = ["LogisticRegression"]


@final
@register_problem("logistic-regression")
@dataclass(frozen=True)
class LogisticRegression(VariationalProblem):
    r"""Bayesian logistic regression on real data: the negative ELBO of 31 weights, in nats.

    The prior is $N(0, I)$, the posterior $q = N(\mathrm{loc}, \exp(\mathrm{log\_scale})^2)$. The data are 569 cases of
    breast cancer (30 standardised features and an intercept), of which `held_out`, drawn at random once, serve as a
    test. The analytic KL divergence is a term of the cost that depends on the parameters directly.

    The expectation is exact: each case needs one integral over a Gaussian logit, by the trapezoidal rule.
    Mohamed et al. 2020, sec. 8.
    """

    loc: float = 0.0
    log_scale: float = -1.0
    held_out: int = 0
    signed_features: Tensor = field(init=False, repr=False, compare=False)
    """Features times label ±1, `[N, 31]`; in a batch `[R, B, 31]`."""
    test_features: Tensor = field(init=False, repr=False, compare=False)
    """The same for the cases held out."""
    case_weight: float = field(init=False, repr=False, compare=False)
    """The weight of a case in the cost: N/B in a batch of B."""
    cost_depends_on_params: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)
        cases = torch.from_numpy(_breast_cancer())
        if not 0 <= self.held_out < len(cases):
            raise ValueError(f"held_out must be from 0 to {len(cases) - 1}, not {self.held_out}")
        order = torch.randperm(len(cases), generator=torch.Generator().manual_seed(0))
        test, training = order[: self.held_out], order[self.held_out :].sort().values
        object.__setattr__(self, "signed_features", cases[training])
        object.__setattr__(self, "test_features", cases[test])
        object.__setattr__(self, "case_weight", 1.0)

    def initial_params(self) -> Params:
        weights = self.signed_features.shape[-1]
        return {
            "loc": torch.full((weights,), self.loc, dtype=torch.float64),
            "log_scale": torch.full((weights,), self.log_scale, dtype=torch.float64),
        }

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        losses = softplus(-_logits(self.signed_features, x)).sum(-1)
        return self.case_weight * losses + _divergence_from_prior(params)

    def energy(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        losses = softplus(-_logits(self.signed_features, x)).sum(-1)
        return self.case_weight * losses + (x**2 + math.log(2 * math.pi)).sum(-1) / 2

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        losses = _expectation(lambda logit: softplus(-logit), self.signed_features, params).sum(-1)
        return self.case_weight * losses + _divergence_from_prior(params)

    @property
    def num_data(self) -> int:
        return self.signed_features.shape[-2]

    def batch(self, indices: Shaped[Tensor, "R B"]) -> "LogisticRegression":
        part = copy.copy(self)
        object.__setattr__(part, "signed_features", self.signed_features[indices])
        object.__setattr__(part, "case_weight", self.num_data / indices.shape[1])
        return part

    def evaluate(self, params: Params, source: NoiseSource) -> dict[str, Float[Tensor, " R"]]:
        """The exact `objective`, and `test_log_likelihood`, the mean of log E_q[p(y|x)] over the cases held out."""
        found = {"objective": self.expected_cost(params)}
        if self.held_out:
            found["test_log_likelihood"] = _expectation(torch.sigmoid, self.test_features, params).log().mean(-1)
        return found


def _logits(features: Shaped[Tensor, "*R N D"], x: Float[Tensor, "S R D"]) -> Float[Tensor, "S R N"]:
    if features.ndim == 2:
        return x @ features.mT
    return (x.transpose(0, 1) @ features.mT).transpose(0, 1)


def _expectation(
    function: Callable[[Tensor], Tensor], features: Shaped[Tensor, "*R N D"], params: Params
) -> Float[Tensor, "R N"]:
    """The expectation of a function of each case's logit, which is Gaussian under q."""
    mean = _logits(features, params["loc"].unsqueeze(0)).squeeze(0)
    deviation = _logits(features**2, (2 * params["log_scale"]).exp().unsqueeze(0)).squeeze(0).sqrt()
    nodes, weights = gaussian_nodes(mean)
    return function(mean.unsqueeze(-1) + deviation.unsqueeze(-1) * nodes) @ weights


def _divergence_from_prior(params: Params) -> Float[Tensor, " R"]:
    loc, log_scale = params["loc"], params["log_scale"]
    return ((loc**2 + (2 * log_scale).exp() - 1) / 2 - log_scale).sum(-1)


@cache
def _breast_cancer() -> np.ndarray:
    features, label = table("breast_cancer.csv", "load_breast_cancer", header=1)
    standardised = (features - features.mean(0)) / features.std(0)
    return np.hstack([standardised, np.ones((len(standardised), 1))]) * (2.0 * label[:, None] - 1)
