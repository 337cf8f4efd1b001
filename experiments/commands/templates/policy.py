"""A policy that acts in an environment, one episode: `gradmark rank my_policy.py`."""

from dataclasses import dataclass

import torch
from estimators import Program, ReplicatedModule, register_problem
from torch import nn
from torch.distributions import OneHotCategorical

__all__ = ["MyPolicy"]

torch.manual_seed(0)
# Your own network: from what is known before an action to the logits of all actions.
network = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3))


@register_problem("my-policy")
@dataclass(frozen=True)
class MyPolicy(Program):
    """Keeps a cart near 0: pushes it to the left, not at all, or to the right."""

    # Options, each with a default: `my-policy:steps=8`. Where the environment answers
    # to what the policy does and to nothing else, add
    # `sampled_only: ClassVar[bool] = True`.
    steps: int = 4
    policy = ReplicatedModule(network, "policy.")
    start = torch.tensor([1.0, 0.0])
    pushes = torch.tensor([-0.3, 0.0, 0.3])

    def run(self, params, sample):
        """One episode. What is random is asked for: `sample("wind", Normal(0.0, 0.1))`.

        A cost is yielded as soon as it is known: it counts for the actions before it.
        It is minimised: yield a reward with a minus.
        """
        position, speed = self.start
        for t in range(self.steps):
            state = torch.stack([position, speed])
            logits = self.policy(params, state)
            action = sample(f"action{t}", OneHotCategorical(logits=logits), state=state)
            speed = speed + action @ self.pushes
            position = position + speed
            yield position**2
