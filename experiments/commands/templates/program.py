"""A model of several random variables, one sample at a time: `gradmark rank my_program.py`."""

from dataclasses import dataclass

import torch
from estimators import Program, register_problem
from torch.distributions import Bernoulli, Independent, Normal

__all__ = ["MyProgram"]


@register_problem("my-program")
@dataclass(frozen=True)
class MyProgram(Program):
    """A number says how likely bits are, which are to come near to targets."""

    # Options, each with a default: `my-program:target=1`. With jumps in a cost as a function of continuous variables,
    # add `differentiable: ClassVar[bool] = False`; where values decide what happens next, or NumPy computes it,
    # `mapped: ClassVar[bool] = False`.
    target: float = 0.4

    def initial_params(self):
        """The parameters where the gradient is measured."""
        return {"loc": torch.tensor(0.5), "weights": torch.tensor([1.0, -0.5])}

    def run(self, params, sample):
        """One sample, for one set of parameters: no axes of samples or replicates.

        A cost is yielded as soon as it is known: it counts for the variables that were asked for before it.
        """
        z = sample("z", Normal(params["loc"], 1.0))
        yield z**2 / 2
        bits = sample("bits", Independent(Bernoulli(logits=params["weights"] * z), 1))
        yield ((bits - self.target) ** 2).sum()
