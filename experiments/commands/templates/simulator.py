"""A simulator that is not written in torch: `gradmark rank my_simulator.py`."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from estimators import Program, register_problem
from torch.distributions import Normal

__all__ = ["MySimulator", "simulated"]


def simulated(settings: np.ndarray, weather: float) -> float:
    """What a run costs: your own code goes here."""
    return float(np.square(settings - 1.0).sum() + weather * settings.sum())


@register_problem("my-simulator")
@dataclass(frozen=True)
class MySimulator(Program):
    """Settings to choose for a simulator, drawn around what is chosen."""

    # Called for one sample at a time, and not differentiated.
    mapped: ClassVar[bool] = False
    differentiable: ClassVar[bool] = False

    def initial_params(self):
        """θ where the gradient is measured."""
        return {"loc": torch.zeros(2), "log_scale": torch.full((2,), -1.0)}

    def run(self, params, sample):
        """One sample. What is random in a run is asked for, too: it is then repeatable."""
        q = Normal(params["loc"], params["log_scale"].exp())
        settings = sample("settings", q)
        weather = sample("weather", Normal(0.0, 1.0))
        return simulated(settings.numpy(), weather.item())

    def expected_cost(self, params):
        """E[cost] for each replicate, [R], of parameters [R, 2]: the exact gradient.

        Delete it where it is not known: the gradient is then measured.
        """
        variance = (2 * params["log_scale"]).exp()
        return ((params["loc"] - 1.0) ** 2 + variance).sum(-1)
