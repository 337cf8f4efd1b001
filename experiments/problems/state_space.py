"""A linear Gaussian state-space model, whose evidence the Kalman filter knows."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal

from estimators import LatentProgram, Params, register_problem
from estimators.noise import NoiseSource
from experiments.problems.options import check_options

__all__ = ["StateSpace"]

LOG_NORM = math.log(2 * math.pi) / 2


@final
@register_problem("state-space")
@dataclass(frozen=True)
class StateSpace(LatentProgram):
    r"""The negative ELBO of a linear Gaussian state-space model, in nats.

    $x_t \sim N(a x_{t-1}, 1)$ from $x_0 = 0$, $y_t \sim N(x_t, 1)$ for T = `steps` data, which were drawn at a = 0.9.
    q is autoregressive, $N(w_t x_{t-1} + b_t, s_t^2)$, which has the posterior in it, or factorised, $w_t = 0$. Each
    step pays its own part of the bound, which also learns the model's `decay` a. Exact in closed form.
    Kalman 1960; Archer et al. 2015.
    """

    steps: int = 8
    q: Literal["autoregressive", "factorised"] = "autoregressive"
    series: Tensor = field(init=False, repr=False, compare=False)
    """y, `[steps]`: no data points, since each depends on the one before."""

    def __post_init__(self) -> None:
        check_options(self, steps=1)
        object.__setattr__(self, "series", _drawn(self.steps))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:steps=2"]

    def initial_params(self) -> Params:
        zeros = torch.zeros(self.steps, dtype=torch.float64)
        q = {"bias": zeros + 0.3, "log_scale": zeros - 0.5, "decay": zeros[0] + 0.5}
        return q if self.q == "factorised" else q | {"weight": zeros + 0.5}

    def run(self, params: Any, sample: Any) -> Any:
        before = torch.zeros_like(params["decay"])
        for step in range(self.steps):
            mean = params["bias"][step]
            if self.q == "autoregressive":
                mean = mean + params["weight"][step] * before
            q, prior = Normal(mean, params["log_scale"][step].exp()), Normal(params["decay"] * before, 1.0)
            state = sample(f"state{step}", q, prior=prior)
            yield -Normal(state, 1.0).log_prob(self.series[step])
            before = state

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        decay, total = params["decay"], torch.zeros_like(params["decay"])
        mean, variance = torch.zeros_like(decay), torch.zeros_like(decay)  # of the state before
        for step, y in enumerate(self.series):
            weight = params["weight"][:, step] if self.q == "autoregressive" else torch.zeros_like(decay)
            own = (2 * params["log_scale"][:, step]).exp()
            here = params["bias"][:, step] + weight * mean
            moved = (here - decay * mean) ** 2 + (weight - decay) ** 2 * variance + own
            variance = weight**2 * variance + own
            seen = (y - here) ** 2 + variance
            total = total + (moved + seen - 1) / 2 + LOG_NORM - params["log_scale"][:, step]
            mean = here
        return total

    def log_marginal(self, params: Params) -> Float[Tensor, "R N"]:
        return self.log_evidence(params).unsqueeze(1)

    def log_evidence(self, params: Params) -> Float[Tensor, " R"]:
        """log p(y), by the Kalman filter."""
        decay, total = params["decay"], torch.zeros_like(params["decay"])
        mean, variance = torch.zeros_like(decay), torch.zeros_like(decay)
        for y in self.series:
            mean, variance = decay * mean, decay**2 * variance + 1
            total = total - (y - mean) ** 2 / (variance + 1) / 2 - (variance + 1).log() / 2 - LOG_NORM
            gain = variance / (variance + 1)
            mean, variance = mean + gain * (y - mean), (1 - gain) * variance
        return total

    def evaluate(self, params: Params, source: NoiseSource) -> dict[str, Float[Tensor, " R"]]:
        """The exact `objective`, and the `gap` between it and the evidence: how far q is from the posterior."""
        objective = self.expected_cost(params)
        return {"objective": objective, "gap": objective + self.log_evidence(params)}


def _drawn(steps: int) -> Tensor:
    noise = torch.randn(steps, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state, found = noise[0, 0] * 0, []
    for move, error in noise:
        state = 0.9 * state + move
        found.append(state + error)
    return torch.stack(found)
