"""An autoencoder with Gaussian latent variables: `gradmark rank my_autoencoder.py`."""

from dataclasses import dataclass

import torch
from estimators import LatentProgram, ReplicatedModule, register_problem
from torch import nn
from torch.distributions import Bernoulli, Normal

__all__ = ["MyAutoencoder"]

PIXELS, HIDDEN, LATENT = 12, 8, 2
torch.manual_seed(0)
# Your own networks, and your own data, a row for each data point. A few rows will do.
inner, outer = nn.Linear(PIXELS, HIDDEN), nn.Linear(HIDDEN, 2 * LATENT)
encoder = nn.Sequential(inner, nn.Tanh(), outer)
decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, PIXELS))
images = (torch.rand(16, PIXELS) < 0.3).float()


@register_problem("my-autoencoder")
@dataclass(frozen=True)
class MyAutoencoder(LatentProgram):
    """The negative ELBO of all images, in nats."""

    encode = ReplicatedModule(encoder, "encoder.")
    decode = ReplicatedModule(decoder, "decoder.")
    observation = images

    def run(self, params, sample, x):
        """One sample of one data point: no axes of samples or of the batch.

        log q(z | x) and -log p(z) are paid by themselves; what is returned is the rest
        of the cost. For bits, draw z from Bernoulli(logits=…) with a prior like it.
        """
        loc, log_scale = self.encode(params, x).chunk(2)
        z = sample("z", Normal(loc, log_scale.exp()), prior=Normal(0.0, 1.0))
        return -Bernoulli(logits=self.decode(params, z)).log_prob(x).sum()
