"""The networks of the cases G to J as problems of gradmark, through `ReplicatedModule`, as a user writes them.

They are not registered: a benchmark that is imported adds nothing to what gradmark lists.
"""

import itertools
import math
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, OneHotCategorical
from torch.nn.functional import softplus

from benchmarks.peers.work import Case
from estimators import LatentVariableProblem, Params, Problem, ReplicatedModule
from estimators.registry import make_problem

__all__ = ["EXACT", "NETWORKS", "Autoencoder", "Policy", "new_problem", "problem_of"]

REWARDS = (0.3, -0.5, 1.0, 0.1)


def dense(prefix: str, *widths: int) -> ReplicatedModule:
    """Layers of these widths with ReLU between them, started by a fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(widths) * 1_000 + widths[0])
        layers = [nn.Linear(*pair) for pair in itertools.pairwise(widths)]
    between = [part for layer in layers for part in (layer, nn.ReLU())]
    return ReplicatedModule(nn.Sequential(*between[:-1]), prefix)


def fixed(*shape: int) -> Tensor:
    """Standard normals that are always the same, in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@dataclass(frozen=True)
class Policy(Problem):
    """The expected loss of one action out of four, which a network chooses in one state."""

    widths: tuple[int, ...] = (64, 64, 64)
    network: ReplicatedModule = field(init=False, repr=False, compare=False)
    state: Tensor = field(init=False, repr=False, compare=False)
    losses: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", dense("policy.", *self.widths, len(REWARDS)))
        object.__setattr__(self, "state", fixed(1, self.widths[0]))
        object.__setattr__(self, "losses", -torch.tensor(REWARDS, dtype=torch.float64))

    def initial_params(self) -> Params:
        return self.network.initial_params()

    def distribution(self, params: Params) -> Distribution:
        return OneHotCategorical(logits=self.network.of_data(params, self.state)[:, 0])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x * self.losses).sum(-1)

    def support(self, params: Params) -> Tensor:
        replicates = len(next(iter(params.values())))
        return torch.eye(len(REWARDS)).to(self.losses)[:, None].expand(-1, replicates, -1)


@dataclass(frozen=True)
class Autoencoder(LatentVariableProblem):
    """The negative ELBO of binary images, as in torch's example of a variational autoencoder."""

    data: Literal["digits", "random"] = "digits"
    hidden: int = 128
    latent: int = 16
    points: int = 32
    observation: Tensor = field(init=False, repr=False, compare=False)
    encode: ReplicatedModule = field(init=False, repr=False, compare=False)
    decode: ReplicatedModule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        images = (digits() if self.data == "digits" else random_images())[: self.points]
        pixels = images.shape[1]
        object.__setattr__(self, "observation", images)
        object.__setattr__(self, "encode", dense("encoder.", pixels, self.hidden, 2 * self.latent))
        object.__setattr__(self, "decode", dense("decoder.", self.latent, self.hidden, pixels))

    @property
    def encoder(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return tuple(self.encode.initial_params())

    def initial_params(self) -> Params:
        return self.encode.initial_params() | self.decode.initial_params()

    def posterior(self, params: Params) -> Distribution:
        mean, log_scale = self.encode.of_data(params, self.observation).chunk(2, -1)
        return Independent(Normal(mean, log_scale.exp()), 1)

    def log_joint(self, z: Tensor, params: Params) -> Tensor:
        logits = self.decode.of_samples(params, z)
        log_likelihood = (self.observation * logits - softplus(logits)).sum(-1)
        return log_likelihood - (z**2).sum(-1) / 2 - self.latent * math.log(2 * math.pi) / 2


IMAGES = 32
DIGITS = (
    "18382020243e321e3c3c707838081830187040782602061c1c3c040c1c1810101c34243c0404241c183c243c0604041c183c2c"
    "3c382c2c300818183c7e7808081c303030382c341c3c3c3c181c383830183020303c263e1c183c342466243c181018303c3e32"
    "1e0c1c3c2c68383838181838381c04063c38382868081010303e387c081830203c3e3c3c0c181c04043c0c1c3c3c1c1c1c1c30"
    "38781810303e3e143c20382c020418383c3c0404042c1c18323c18183c3c180e3e040e1c0808103c20303c040024381c7c2c18"
    "0c061e18183022663c0c181830381c0c08081c3f30203c18382828383070680818103e3e307808181c043c3c1c3c040c3e3818"
    "10"
)


def digits() -> Tensor:
    """32 of scikit-learn's 8×8 digits, each pixel 0 or 1: kept here, so that nothing has to be installed for them."""
    bits = torch.tensor([int(digit, 16) for digit in DIGITS])
    return (bits[:, None] >> torch.arange(3, -1, -1) & 1).reshape(IMAGES, -1).double()


def random_images() -> Tensor:
    return (fixed(IMAGES, 28 * 28) > 0).double()


NETWORKS = {
    "policy-small": lambda: Policy((64, 64, 64)),
    "policy-large": lambda: Policy((64, 256, 256)),
    "autoencoder-small": lambda: Autoencoder("digits", 128, 16),
    "autoencoder-medium": lambda: Autoencoder("digits", 64, 8),
    "autoencoder-large": lambda: Autoencoder("random", 400, 40),
}
"""8,580, 83,460, 22,880 and 676,864 weights; the medium one is of the size of `digits-vae`."""
EXACT = {"policy-small", "policy-large"}
"""Those whose gradient is known: by a sum over the actions."""


def new_problem(case: Case) -> Problem:
    """The problem of a case, a network or a registered one: nobody has met it before."""
    made = NETWORKS.get(case.problem)
    return make_problem(case.problem) if made is None else made()


@cache
def problem_of(case: Case) -> Problem:
    return new_problem(case)
