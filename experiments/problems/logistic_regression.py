"""Bayesian logistic regression on the breast-cancer data."""

from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import softplus

from estimators.interface import Params, Problem
from estimators.registry import register_problem
from experiments.problems.options import check_options

__all__ = ["LogisticRegression"]


@final
@register_problem("logistic-regression")
@dataclass(frozen=True)
class LogisticRegression(Problem):
    """Bayesian logistic regression on real data: the negative ELBO of 31 weights, in nats.

    Prior N(0, I), posterior q = N(loc, exp(log_scale)²), 569 cases of breast cancer (30 standardised features and an
    intercept). The analytic KL divergence is a term of the cost that depends on the parameters directly.

    Its expectation is exact: each case needs one integral over a Gaussian logit, by the trapezoidal rule.
    Mohamed et al. 2020, sec. 8.
    """

    loc: float = 0.0
    log_scale: float = -1.0
    signed_features: Tensor = field(init=False, repr=False, compare=False)
    """Features times label ±1, `[N, 31]`."""
    cost_depends_on_params: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)
        object.__setattr__(self, "signed_features", torch.from_numpy(_breast_cancer()))

    def initial_params(self) -> Params:
        weights = self.signed_features.shape[1]
        return {
            "loc": torch.full((weights,), self.loc, dtype=torch.float64),
            "log_scale": torch.full((weights,), self.log_scale, dtype=torch.float64),
        }

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return softplus(-(x @ self.signed_features.T)).sum(-1) + _divergence_from_prior(params)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        mean = params["loc"] @ self.signed_features.T
        deviation = ((2 * params["log_scale"]).exp() @ self.signed_features.T**2).sqrt()
        nodes = torch.linspace(-10, 10, 201, dtype=mean.dtype, device=mean.device)
        weights = (-(nodes**2) / 2).exp() * (nodes[1] - nodes[0]) / (2 * torch.pi) ** 0.5
        logits = mean.unsqueeze(-1) + deviation.unsqueeze(-1) * nodes
        return (softplus(-logits) @ weights).sum(-1) + _divergence_from_prior(params)


def _divergence_from_prior(params: Params) -> Float[Tensor, " R"]:
    loc, log_scale = params["loc"], params["log_scale"]
    return ((loc**2 + (2 * log_scale).exp() - 1) / 2 - log_scale).sum(-1)


@cache
def _breast_cancer() -> np.ndarray:
    from sklearn.datasets import load_breast_cancer  # half a second to import

    features, label = load_breast_cancer(return_X_y=True)
    standardised = (np.asarray(features) - np.mean(features, 0)) / np.std(features, 0)
    return np.hstack([standardised, np.ones((len(standardised), 1))]) * (2.0 * np.asarray(label)[:, None] - 1)
