"""An autoencoder with a category and a number behind each data point."""

import math
from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal, OneHotCategorical

from estimators import LatentProgram, Params, register_problem
from experiments.problems.options import check_options
from experiments.problems.quadrature import gaussian_nodes

__all__ = ["MixtureVAE"]

LOG_NORM = math.log(2 * math.pi) / 2
NOISE = 0.5
"""The standard deviation of the data given what is behind them."""


@final
@register_problem("mixture-vae")
@dataclass(frozen=True)
class MixtureVAE(LatentProgram):
    r"""The negative ELBO of an autoencoder with a categorical and a Gaussian latent variable, in nats.

    Behind each of `points` data points $x_n$ in two dimensions is one of `components`, all alike likely, and $z_n \sim
    N(\mu_c, 1)$; $x_n \sim N(\tanh(u z_n + v), 0.5^2)$. The encoder is $q(c | x)$, a softmax linear in x, and $q(z |
    c, x) = N(W_c \cdot x, \sigma_c^2)$. Exact by a sum over the components and a quadrature over z.
    Kingma et al. 2014; Jang, Gu & Poole 2017.
    """

    points: int = 4
    components: int = 3
    observation: Tensor = field(init=False, repr=False, compare=False)
    """x, `[points, 2]`, at places on a circle."""

    def __post_init__(self) -> None:
        check_options(self, points=1, components=2)
        angle = 2 * torch.pi * torch.arange(self.points, dtype=torch.float64) / self.points
        object.__setattr__(self, "observation", 0.8 * torch.stack([angle.cos(), angle.sin()], -1))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:components=2,points=2"]

    def initial_params(self) -> Params:
        generator = torch.Generator().manual_seed(0)
        spread = torch.linspace(-1, 1, self.components, dtype=torch.float64)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        encoder = {
            "which": drawn(2, self.components),
            "where": drawn(2, self.components),
            "log_scale": 0 * spread - 0.5,
        }
        return encoder | {"prior_mean": spread, "out_weight": drawn(2), "out_bias": 0.3 * drawn(2)}

    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        alike = OneHotCategorical(logits=torch.zeros_like(params["prior_mean"]))
        component = sample("component", OneHotCategorical(logits=x @ params["which"]), prior=alike)
        q = Normal(component @ (x @ params["where"]), (component @ params["log_scale"]).exp())
        z = sample("z", q, prior=Normal(component @ params["prior_mean"], 1.0))
        return -Normal((z * params["out_weight"] + params["out_bias"]).tanh(), NOISE).log_prob(x).sum()

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        log_q = (self.observation @ params["which"]).log_softmax(-1)  # [R, N, K]
        loc = self.observation @ params["where"]
        log_scale, prior = params["log_scale"].unsqueeze(1), params["prior_mean"].unsqueeze(1)
        of_z = ((loc - prior) ** 2 + (2 * log_scale).exp() - 1) / 2 - log_scale
        nodes, weights = gaussian_nodes(loc)
        z = loc.unsqueeze(-1) + log_scale.exp().unsqueeze(-1) * nodes  # [R, N, K, Q]
        of_data = torch.zeros_like(loc)
        for entry in range(2):
            weight, bias = (params[name][:, entry, None, None, None] for name in ("out_weight", "out_bias"))
            off = (self.observation[..., entry, None, None] - (z * weight + bias).tanh()) / NOISE
            of_data = of_data + off**2 @ weights / 2 + math.log(NOISE) + LOG_NORM
        each = (log_q.exp() * (log_q + math.log(self.components) + of_z + of_data)).sum((-2, -1))
        return self.data_weight * each
