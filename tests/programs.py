"""Programs of several variables, with expected costs worked out by hand."""

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Gamma, Laplace, LogNormal, Normal, OneHotCategorical

from estimators import Params, Program

__all__ = ["Episode", "Kinds", "Smooth"]


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@dataclass(frozen=True)
class Kinds(Program):
    """A continuous variable, then bits, then an index, then a Gamma: each depends on those before it."""

    def initial_params(self) -> Params:
        return {"loc": torch.tensor(0.8), "weights": numbers(0.9, -0.6), "log_rate": torch.tensor(0.5)}

    def run(self, params: Any, sample: Any) -> Any:
        loc = params["loc"]
        z = sample("z", Normal(loc, 1.0))
        yield z**2 / 4
        bits = sample("bits", Bernoulli(logits=params["weights"] * z))  # two, of one batch
        yield (2 * bits[0] - 0.3 * z) ** 2 + bits[1] * loc
        index = sample("index", Categorical(logits=torch.stack([bits[0], 0.5 * z, -bits[1]])))
        g = sample("g", Gamma(2 + bits.sum() + index, params["log_rate"].exp()))
        return g**2 / 10 + index * loc

    def expected_cost(self, params: Params) -> Tensor:
        """z by the trapezoidal rule, bits and index by all their values, and E g² = a (a + 1) / rate²."""
        loc, weights, rate = (params[name].double() for name in ("loc", "weights", "log_rate"))
        z = torch.linspace(-9, 11, 401, dtype=torch.float64).unsqueeze(1)
        mass = (-((z - loc) ** 2) / 2).exp() / (2 * torch.pi) ** 0.5 * 0.05
        total = mass * z**2 / 4
        for first, second in itertools.product((0.0, 1.0), repeat=2):
            ones = (z.unsqueeze(-1) * weights).sigmoid()
            of_bits = (ones * numbers(first, second) + (1 - ones) * (1 - numbers(first, second))).prod(-1)
            total = total + mass * of_bits * ((2 * first - 0.3 * z) ** 2 + second * loc)
            logits = torch.stack([first + 0 * z, 0.5 * z, -second + 0 * z], -1)
            for index, of_index in enumerate(logits.softmax(-1).unbind(-1)):
                a = 2 + first + second + index
                squared = a * (a + 1) / (2 * rate).exp()
                total = total + mass * of_bits * of_index * (squared / 10 + index * loc)
        return total.sum(0)


@dataclass(frozen=True)
class Smooth(Program):
    """A vector, a number whose scale depends on it, and one about both: all with a path."""

    def initial_params(self) -> Params:
        return {"loc": numbers(0.7, -0.8), "log_scale": torch.tensor(-0.7)}

    def run(self, params: Any, sample: Any) -> Any:
        z = sample("z", Normal(params["loc"], params["log_scale"].exp()))
        yield (z**2).sum()
        u = sample("u", LogNormal(0.5 * z[0], 0.3))
        yield u * params["loc"][1]
        y = sample("y", Laplace(z[1] * u, 0.5))
        yield (y - 1) ** 2

    def expected_cost(self, params: Params) -> Tensor:
        """By the moments of the normal, the log-normal and the Laplace distribution."""
        (first, second), variance = params["loc"].unbind(-1), (2 * params["log_scale"]).exp()

        def moment(k: int) -> Tensor:
            """E uᵏ = E exp(k (z₀ / 2 + 0.3 ε))."""
            return (k * first / 2 + k**2 * (variance / 8 + 0.3**2 / 2)).exp()

        of_z = first**2 + second**2 + 2 * variance
        of_y = (second**2 + variance) * moment(2) - 2 * second * moment(1) + 1 + 2 * 0.5**2
        return of_z + moment(1) * second + of_y


@dataclass(frozen=True)
class Episode(Program):
    """Three actions that may end before their time; what is paid afterwards does not count."""

    steps: int = 3

    def initial_params(self) -> Params:
        return {"policy": numbers(0.5, -0.2, -1.0), "pull": torch.tensor(0.4)}

    def run(self, params: Any, sample: Any) -> Any:
        position, goes_on = 0.0, 1.0
        for t in range(self.steps):
            logits = params["policy"] - params["pull"] * position
            action = sample(f"action{t}", OneHotCategorical(logits=logits))
            position = position + goes_on * action[0]
            yield goes_on * (action @ numbers(1.0, -1.0, 2.0).to(action) + position**2 + params["pull"])
            goes_on = goes_on * (1 - action[2])

    def expected_cost(self, params: Params) -> Tensor:
        """By following all actions until each has ended."""

        def to_go(position: int, left: int) -> Tensor:
            if not left:
                return torch.zeros_like(params["pull"])
            chances = (params["policy"] - position * params["pull"].unsqueeze(-1)).softmax(-1).unbind(-1)
            after = [position + 1, position, position]
            paid = [reward + at**2 + params["pull"] for reward, at in zip((1, -1, 2), after, strict=True)]
            later = [to_go(after[0], left - 1), to_go(after[1], left - 1), 0.0]
            each = zip(chances, paid, later, strict=True)
            return torch.stack([chance * (now + then) for chance, now, then in each]).sum(0)

        return to_go(0, self.steps)
