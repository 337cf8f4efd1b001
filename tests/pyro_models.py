"""Models and guides of the kind that Pyro's tutorials have."""

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch import Tensor, nn

__all__ = [
    "FLIPS",
    "HEIGHTS",
    "IMAGES",
    "MIXED",
    "SCHOOLS",
    "Autoencoder",
    "Line",
    "coin",
    "coin_guide",
    "eight_schools",
    "eight_schools_guide",
    "line",
    "line_guide",
    "mixture",
    "mixture_guide",
    "turned_round",
    "turned_round_guide",
    "weighed_coin",
]

FLIPS = torch.tensor([1.0] * 6 + [0.0] * 4)


def coin(flips: Tensor) -> None:
    fairness = pyro.sample("fairness", dist.Beta(10.0, 10.0))
    with pyro.plate("flips", len(flips)):
        pyro.sample("flip", dist.Bernoulli(fairness), obs=flips)


def coin_guide(flips: Tensor) -> None:
    alpha = pyro.param("alpha", torch.tensor(15.0), constraint=constraints.positive)
    beta = pyro.param("beta", torch.tensor(12.0), constraint=constraints.positive)
    pyro.sample("fairness", dist.Beta(alpha, beta))


HEIGHTS = (torch.linspace(-1.0, 1.0, 12), torch.linspace(-1.0, 1.0, 12) * 0.8 + 0.3 * torch.linspace(0, 40, 12).sin())


def line(x: Tensor, y: Tensor) -> None:
    slope = pyro.sample("slope", dist.Normal(0.0, 2.0))
    intercept = pyro.sample("intercept", dist.Normal(0.0, 2.0))
    noise = pyro.sample("noise", dist.LogNormal(-1.0, 0.5))
    with pyro.plate("data", len(x)):
        pyro.sample("y", dist.Normal(slope * x + intercept, noise), obs=y)


def line_guide(x: Tensor, y: Tensor) -> None:
    for name, start in (("slope", 0.5), ("intercept", 0.1)):
        loc = pyro.param(f"{name}_loc", torch.tensor(start))
        scale = pyro.param(f"{name}_scale", torch.tensor(0.3), constraint=constraints.positive)
        pyro.sample(name, dist.Normal(loc, scale))
    loc = pyro.param("noise_loc", torch.tensor(-0.8))
    scale = pyro.param("noise_scale", torch.tensor(0.2), constraint=constraints.positive)
    pyro.sample("noise", dist.LogNormal(loc, scale))


IMAGES = (torch.arange(30).reshape(5, 6) % 7 < 3).float()


class Autoencoder(nn.Module):
    """A variational autoencoder as in Pyro's tutorial, with two latent dimensions."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.encoder = nn.Sequential(nn.Linear(6, 4), nn.Softplus(), nn.Linear(4, 4))
            self.decoder = nn.Sequential(nn.Linear(2, 4), nn.Softplus(), nn.Linear(4, 6))

    def model(self, images: Tensor) -> None:
        pyro.module("decoder", self.decoder)
        with pyro.plate("images", len(images)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(images), 2), torch.ones(len(images), 2)).to_event(1))
            pyro.sample("image", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=images)

    def guide(self, images: Tensor) -> None:
        pyro.module("encoder", self.encoder)
        with pyro.plate("images", len(images)):
            loc, log_scale = self.encoder(images).chunk(2, -1)
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))


MIXED = torch.tensor([-2.1, -1.7, 0.4, 1.9, 2.4])


def mixture(data: Tensor) -> None:
    locs = pyro.param("locs", torch.tensor([-1.5, 1.5]))
    with pyro.plate("data", len(data)):
        which = pyro.sample("which", dist.Categorical(torch.tensor([0.4, 0.6])))
        pyro.sample("x", dist.Normal(locs[which], 1.0), obs=data)


def mixture_guide(data: Tensor) -> None:
    logits = pyro.param("logits", lambda: 0.3 * torch.stack([-data, data], -1))
    with pyro.plate("data", len(data)):
        pyro.sample("which", dist.Categorical(logits=logits), infer={"enumerate": "parallel"})


SCHOOLS = (
    torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
    torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
)


def eight_schools(effects: Tensor, errors: Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
    tau = pyro.sample("tau", dist.LogNormal(1.0, 1.0))
    with pyro.plate("schools", len(effects)):
        eta = pyro.sample("eta", dist.Normal(0.0, 1.0))
        pyro.sample("effect", dist.Normal(mu + tau * eta, errors), obs=effects)


def eight_schools_guide(effects: Tensor, errors: Tensor) -> None:
    positive = constraints.positive
    mu_scale = pyro.param("mu_scale", torch.tensor(3.0), constraint=positive)
    pyro.sample("mu", dist.Normal(pyro.param("mu_loc", torch.tensor(6.0)), mu_scale))
    tau_scale = pyro.param("tau_scale", torch.tensor(0.5), constraint=positive)
    pyro.sample("tau", dist.LogNormal(pyro.param("tau_loc", torch.tensor(1.0)), tau_scale))
    with pyro.plate("schools", len(effects)):
        eta_loc = pyro.param("eta_loc", torch.linspace(-0.3, 0.3, len(effects)))
        eta_scale = pyro.param("eta_scale", torch.full((len(effects),), 0.8), constraint=positive)
        pyro.sample("eta", dist.Normal(eta_loc, eta_scale))


class Slope(PyroModule):
    """A slope with a prior, and an intercept that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = PyroSample(dist.Normal(0.0, 1.0))
        self.intercept = nn.Parameter(torch.tensor(0.2))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x + self.intercept


class Line(PyroModule):
    """A line with a scale that is learned: modules in modules."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = Slope()
        self.noise = PyroParam(torch.tensor(0.5), constraint=constraints.positive)

    def forward(self, x: Tensor, y: Tensor) -> None:
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(self.mean(x), self.noise), obs=y)


def turned_round(flips: Tensor) -> None:
    """The model draws first what the guide draws last."""
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    logit = pyro.sample("logit", dist.Normal(mean, 0.5))
    with pyro.plate("flips", len(flips)):
        pyro.sample("flip", dist.Bernoulli(logits=logit), obs=flips)


def turned_round_guide(flips: Tensor) -> None:
    loc = pyro.param("loc", torch.tensor(1.2))
    logit = pyro.sample("logit", dist.Normal(loc, 0.4))
    pyro.sample("mean", dist.Normal(pyro.param("slope", torch.tensor(0.7)) * logit, 0.6))


def weighed_coin(flips: Tensor) -> None:
    """Heads alone are observed, with a weight."""
    fairness = pyro.sample("fairness", dist.Beta(10.0, 10.0))
    with pyro.plate("flips", len(flips)), poutine.scale(scale=2.5), poutine.mask(mask=flips > 0):
        pyro.sample("flip", dist.Bernoulli(fairness), obs=flips)
    pyro.deterministic("odds", fairness / (1 - fairness))
