"""A model of several random variables, one sample: `gradmark rank my_program.py`."""

from dataclasses import dataclass

import torch
from estimators import Program, register_problem
from torch.distributions import Bernoulli, Normal

__all__ = ["MyProgram"]


@register_problem("my-program")
@dataclass(frozen=True)
class MyProgram(Program):
    """Bits that cost something, and a number about their sum, to come near a target."""

    # Options, each with a default: `my-program:target=1`. With jumps in a cost as a
    # function of continuous variables, add `differentiable: ClassVar[bool] = False`;
    # where values decide what happens next, or for NumPy, `mapped: ClassVar[bool] = False`.
    target: float = 2.0

    def initial_params(self):
        """θ where the gradient is measured."""
        return {"logits": torch.zeros(2), "weights": torch.tensor([1.0, 0.5])}

    def run(self, params, sample):
        """One sample, for one set of parameters: no axes of samples or replicates.

        A cost is yielded once it is known: it counts for the variables before it.
        """
        bits = sample("bits", Bernoulli(logits=params["logits"]))
        yield bits.sum()
        x = sample("x", Normal((bits * params["weights"]).sum(), 1.0))
        yield (x - self.target) ** 2

    def expected_cost(self, params):
        """E[cost] for each replicate, [R], of parameters [R, 2]: the exact gradient.

        Delete it where it is not known: the gradient is then measured.
        """
        probs, weights = params["logits"].sigmoid(), params["weights"]
        distance = (probs * weights).sum(-1) - self.target
        variance = (weights**2 * probs * (1 - probs)).sum(-1) + 1
        return probs.sum(-1) + distance**2 + variance
