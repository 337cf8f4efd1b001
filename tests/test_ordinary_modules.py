"""Ordinary networks as they stand in people's code, against gradients of plain PyTorch on the same samples."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal, OneHotCategorical
from torch.nn import functional

from estimators import Problem, ReplicatedModule, make_estimator
from estimators.interface import Params, replicated
from estimators.noise import IID
from estimators.sampling import families
from experiments.gradients.steps import Eager

REPLICATES, SAMPLES = 3, 2


class VAE(nn.Module):
    """The example of PyTorch, smaller; its sampling is the estimator's."""

    def __init__(self, inputs: int = 6, hidden: int = 5, latents: int = 2) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc21 = nn.Linear(hidden, latents)
        self.fc22 = nn.Linear(hidden, latents)
        self.fc3 = nn.Linear(latents, hidden)
        self.fc4 = nn.Linear(hidden, inputs)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h1 = functional.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def decode(self, z: Tensor) -> Tensor:
        h3 = functional.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))


class OfVAE(Problem):
    cost_depends_on_params = True

    def __init__(self) -> None:
        self.vae = ReplicatedModule(VAE())
        self.images = torch.rand(4, 6, dtype=torch.float64)

    def distribution(self, params: Params) -> Distribution:
        mu, logvar = self.vae.of_data(params, self.images, "encode")
        return Independent(Normal(mu, torch.exp(0.5 * logvar)), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        recon = self.vae.of_samples(params, x, "decode")
        mu, logvar = self.vae.of_data(params, self.images, "encode")
        bce = functional.binary_cross_entropy(recon, self.images.expand_as(recon), reduction="none").sum((-2, -1))
        return bce - 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum((-2, -1))

    def plainly(self, noise: Tensor) -> Tensor:
        """The loss of the example, for the noise `[S, …]` of one replicate."""
        vae: Any = self.vae.module
        losses = []
        for eps in noise:
            mu, logvar = vae.encode(self.images)
            recon = vae.decode(mu + eps * torch.exp(0.5 * logvar))
            bce = functional.binary_cross_entropy(recon, self.images, reduction="sum")
            losses.append(bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()))
        return torch.stack(losses).mean()


class OfPolicy(Problem):
    """A policy on small screens: convolutions, and an action for each."""

    differentiable = False

    def __init__(self) -> None:
        self.policy = ReplicatedModule(
            nn.Sequential(
                nn.Conv2d(1, 3, 3, stride=2), nn.ReLU(), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
            ),
            "policy.",
        )
        self.screens = torch.rand(2, 1, 7, 7, dtype=torch.float64)
        self.rewards = torch.randn(2, 3, dtype=torch.float64)

    def distribution(self, params: Params) -> Distribution:
        return Independent(OneHotCategorical(logits=self.policy.of_data(params, self.screens)), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return -(x * self.rewards).sum((-2, -1))

    def plainly(self, actions: Tensor) -> Tensor:
        losses = []
        for action in actions:
            q = Categorical(logits=self.policy.module(self.screens))
            reward = (action * self.rewards).sum()
            losses.append(-reward * q.log_prob(action.argmax(-1)).sum())
        return torch.stack(losses).mean()


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(7, 4, padding_idx=0), nn.Parameter(torch.randn(5, 4) / 4)
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.encoder(self.embed(tokens) + self.position, src_key_padding_mask=tokens == 0)
        return self.head(h.mean(1))


class OfTagger(OfPolicy):
    """A small transformer encoder over tokens, and a label for each sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = ReplicatedModule(Tagger(), "tagger.")
        self.screens = torch.tensor([[1, 4, 2, 6, 3], [5, 1, 2, 0, 0]])


@pytest.mark.parametrize(
    ("kind", "spec"), [(OfVAE, "pathwise"), (OfPolicy, "score-function"), (OfTagger, "score-function")]
)
def test_gradients_are_those_of_plain_pytorch(kind: type[OfVAE | OfPolicy], spec: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        problem = kind()
    for made in (value for value in vars(problem).values() if isinstance(value, ReplicatedModule)):
        made.module.double()
    estimator, params = make_estimator(spec), replicated(problem.initial_params(), REPLICATES)
    step = Eager(problem, estimator, SAMPLES)
    noise = step.noise(params, IID(0, dtype=torch.float64))
    drawn = noise if spec == "pathwise" else families.values(problem.distribution(params), noise)
    found, own = step.gradient(params, noise), problem.module_params()
    for row in range(REPLICATES):
        wanted = torch.autograd.grad(problem.plainly(drawn[:, row]), [*own.values()])
        for values, value in zip(found.values(), wanted, strict=True):
            assert value.abs().sum() > 0
            torch.testing.assert_close(values[row], value)
