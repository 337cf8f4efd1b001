"""Models of handwritten digits: what `digits-vae` and `digits-sbn` share."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import softplus

from estimators.interface import LatentVariableProblem, Params
from estimators.noise import NoiseSource
from estimators.sampling import families
from experiments.problems.options import check_options
from experiments.problems.tables import table
from experiments.problems.trained_start import trained_params

__all__ = ["PIXELS", "Digits", "bernoulli_log_prob", "dense", "random_dense"]

PIXELS = 64
TRAINING = 1437
"""Training images among the 1797, drawn at random once; the others are held out."""
EVALUATION_SAMPLES, EVALUATION_BLOCK = 20, 10


@dataclass(frozen=True)
class Digits(LatentVariableProblem):
    """A model of scikit-learn's 8×8 digits, each pixel 0 or 1, with a Bernoulli likelihood.

    The gradient is measured on the first `points` training images; `batch` draws from all of them.
    """

    points: int = 32
    steps: int = 0
    """Steps of training before the point where the gradient is measured."""
    observation: Tensor = field(init=False, repr=False, compare=False)
    training: Tensor = field(init=False, repr=False, compare=False)
    held_out: Tensor = field(init=False, repr=False, compare=False)
    trained_by: ClassVar[tuple[str, int]]
    """The estimator that takes the steps, and its number of samples."""

    def __post_init__(self) -> None:
        check_options(self, points=1)
        if self.points > TRAINING:
            raise ValueError(f"points must be at most {TRAINING}, the number of training images, not {self.points}")
        if self.steps < 0:
            raise ValueError(f"steps must be at least 0, not {self.steps}")
        images = torch.from_numpy(_images())
        object.__setattr__(self, "observation", images[: self.points])
        object.__setattr__(self, "training", images[:TRAINING])
        object.__setattr__(self, "held_out", images[TRAINING:])

    @abstractmethod
    def untrained_params(self) -> Params:
        """Random parameters, with a fixed seed."""

    def initial_params(self) -> Params:

        if self.steps == 0:
            return self.untrained_params()
        return trained_params(replace(self, steps=0, points=1), self.steps, *self.trained_by)

    @property
    def num_data(self) -> int:
        return len(self.training)

    def batch(self, indices: Shaped[Tensor, "R B"]) -> LatentVariableProblem:
        return self.conditioned(self.training[indices], self.num_data / indices.shape[1])

    def evaluate(self, params: Params, source: NoiseSource) -> dict[str, Float[Tensor, " R"]]:
        """The negative ELBO of an image in nats, over all training images and over the images held out."""
        images = {"objective": self.training, "test_objective": self.held_out}
        return {name: _negative_elbo(self.conditioned(data, 1.0), params, source) for name, data in images.items()}


@torch.no_grad()
def _negative_elbo(model: LatentVariableProblem, params: Params, source: NoiseSource) -> Float[Tensor, " R"]:
    q, total = model.distribution(params), 0.0
    for _ in range(EVALUATION_SAMPLES // EVALUATION_BLOCK):
        z = families.values(q, families.noise(q, EVALUATION_BLOCK, source))
        total = total + model.cost(z, params).mean(0)
    return total / (EVALUATION_SAMPLES // EVALUATION_BLOCK) / len(model.observation)  # type: ignore[return-value]


def dense(x: Shaped[Tensor, "*R M I"], params: Params, name: str) -> Float[Tensor, "R M O"]:
    """The layer `name`, a matrix product for each replicate."""
    weight, bias = params[f"{name}_weight"], params[f"{name}_bias"]
    return torch.baddbmm(bias.unsqueeze(1), x.expand(len(weight), *x.shape[-2:]), weight.mT)


def random_dense(name: str, inputs: int, outputs: int, generator: torch.Generator) -> Params:
    """A layer as torch.nn.Linear starts it: uniform, within ±1/√inputs."""
    uniform = 2 * torch.rand(outputs, inputs + 1, generator=generator, dtype=torch.float64) - 1
    return {f"{name}_weight": uniform[:, 1:] / inputs**0.5, f"{name}_bias": uniform[:, 0] / inputs**0.5}


def bernoulli_log_prob(bits: Tensor, logits: Tensor) -> Tensor:
    """log p of bits, summed over the last axis; the bits may be relaxed."""
    return (bits * logits - softplus(logits)).sum(-1)


@cache
def _images() -> np.ndarray:
    images, _ = table("digits.csv.gz", "load_digits")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).numpy()
    return (images[order] >= 8).astype(np.float64)
