"""The eight schools: a hierarchical model whose scale is unknown."""

import math
from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import HalfCauchy, LogNormal, Normal
from torch.nn.functional import softplus

from estimators import LatentProgram, Params, register_problem
from experiments.problems.options import check_options
from experiments.problems.quadrature import gaussian_nodes

__all__ = ["EightSchools"]

EFFECTS = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)
ERRORS = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)
WIDTH = 5.0
"""Of the priors of the mean and of the scale."""


@final
@register_problem("eight-schools")
@dataclass(frozen=True)
class EightSchools(LatentProgram):
    r"""The negative ELBO of a hierarchical model of the effects of coaching in eight schools, in nats.

    $y_j \sim N(\mu + \tau \eta_j, \sigma_j^2)$ with $\mu \sim N(0, 5^2)$, $\tau \sim \mathrm{HalfCauchy}(5)$ and
    $\eta_j \sim N(0, 1)$, for the first `schools`. q is factorised: Gaussian in $\mu$ and each $\eta_j$, log-normal in
    $\tau$. $\log q - \log p$ of each variable is a cost at once, that of the data at the end. Exact in closed form
    but for $\mathbb{E} \log p(\tau)$, a quadrature.
    Rubin 1981; Gelman et al. 2013, sec. 5.5.
    """

    schools: int = 8
    effects: Tensor = field(init=False, repr=False, compare=False)
    errors: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_options(self, schools=1)
        if self.schools > len(EFFECTS):
            raise ValueError(f"schools must be at most {len(EFFECTS)}, not {self.schools}")
        for name, values in (("effects", EFFECTS), ("errors", ERRORS)):
            object.__setattr__(self, name, torch.tensor(values[: self.schools], dtype=torch.float64))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:schools=2"]

    def initial_params(self) -> Params:
        one, each = torch.ones((), dtype=torch.float64), torch.zeros(self.schools, dtype=torch.float64)
        mean = {"mu_loc": 4 * one, "mu_log_scale": one}
        scale = {"tau_loc": one, "tau_log_scale": -0.5 * one}
        return mean | scale | {"eta_loc": each, "eta_log_scale": each - 0.3}

    def run(self, params: Any, sample: Any) -> Any:
        mu = sample("mu", Normal(params["mu_loc"], params["mu_log_scale"].exp()), prior=Normal(0.0, WIDTH))
        tau = sample("tau", LogNormal(params["tau_loc"], params["tau_log_scale"].exp()), prior=HalfCauchy(WIDTH))
        eta = sample("eta", Normal(params["eta_loc"], params["eta_log_scale"].exp()), prior=Normal(0.0, 1.0))
        return -Normal(mu + tau * eta, self.errors).log_prob(self.effects).sum()

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        mu, eta = params["mu_loc"], params["eta_loc"]
        mu_variance, eta_variance = (2 * params["mu_log_scale"]).exp(), (2 * params["eta_log_scale"]).exp()
        of_mu = (mu**2 + mu_variance) / WIDTH**2 / 2 + math.log(WIDTH) - params["mu_log_scale"] - 0.5
        of_eta = ((eta**2 + eta_variance) / 2 - params["eta_log_scale"] - 0.5).sum(-1)
        # log τ is Gaussian: log(1 + (τ/5)²) is a softplus of it.
        nodes, weights = gaussian_nodes(mu)
        log_tau = params["tau_loc"].unsqueeze(-1) + params["tau_log_scale"].exp().unsqueeze(-1) * nodes
        entropy = params["tau_loc"] + params["tau_log_scale"] + _log_norm(1) + 0.5
        of_tau = softplus(2 * log_tau - 2 * math.log(WIDTH)) @ weights - math.log(2 / (math.pi * WIDTH)) - entropy
        variance = (2 * params["tau_log_scale"]).exp()
        tau = (params["tau_loc"] + variance / 2).exp().unsqueeze(-1)
        tau_squared = (2 * params["tau_loc"] + 2 * variance).exp().unsqueeze(-1)
        off = self.effects - mu.unsqueeze(-1) - tau * eta
        spread = mu_variance.unsqueeze(-1) + tau_squared * (eta**2 + eta_variance) - (tau * eta) ** 2
        of_data = ((off**2 + spread) / self.errors**2 / 2 + _log_norm(self.errors)).sum(-1)
        return of_mu + of_tau + of_eta + of_data


def _log_norm(scale: Tensor | float) -> Tensor | float:
    """−log of the density of a Gaussian at its mean."""
    return (scale.log() if isinstance(scale, Tensor) else math.log(scale)) + math.log(2 * math.pi) / 2
