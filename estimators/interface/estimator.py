"""The interface of gradmark: what a problem, an estimator and a control variate are. Read this first.

Every estimator is a deterministic, differentiable function of parameters and noise. Noise is drawn first, without
gradients; then `surrogate` turns parameters and noise into one scalar per replicate, whose gradient with respect to the
parameters *is* the gradient estimate and whose value is an estimate of the cost (or zero: `Estimator.estimates_cost`).

Shapes: R replicates, S samples per gradient, event shape E. Samples are `[S, R, *E]`, costs `[S, R]`, surrogates `[R]`,
parameters `[R, *shape]`. R replicates cost one backward pass; a training loop has R = 1. Costs are minimised.
"""

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.interface.component import Component
from estimators.interface.objective import EXPECTED_COST, Objective
from estimators.interface.once import computed_once
from estimators.interface.params import Params, derivative, replicated
from estimators.interface.problem import Problem
from estimators.interface.training import fresh_source, warn_of_nothing_learned
from estimators.interface.traits import Traits
from estimators.noise import NoiseSource
from estimators.sampling import families

__all__ = ["Claim", "Estimator", "Noise", "TrainingStep", "Unsupported"]

Noise = Any
"""A pytree of tensors, detached."""
Claim = Literal["unbiased", "biased"]
"""What an estimator says of its bias on a problem."""


class Unsupported(ValueError):
    """An estimator cannot be used on a problem; the message says why."""


class Estimator(Component, ABC):
    """A gradient estimator: `draw` the noise, then differentiate `surrogate`."""

    @property
    def traits(self) -> Traits:
        """What the estimator takes and needs."""
        return Traits()

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        """Why the estimator cannot be used here, as a sentence; None: it can."""
        return None

    def unsupported_twice(self, problem: Problem) -> str | None:
        """Why the second derivatives of the surrogate are not those of the objective in the mean; None: they are.

        As a sentence, asked where the estimator is supported. Most surrogates are made for one derivative: what they
        hold constant has a derivative too.
        """
        return f"the surrogate of {self.spec} is made for first derivatives"

    @final
    def refusal(self, problem: Problem, num_samples: int) -> str | None:
        """Why the estimator cannot be used here: what its traits forbid, or `unsupported`; None: it can."""
        if problem.sampled_only and (elsewhere := self.traits.elsewhere):
            return (
                f"{self.spec} evaluates the cost {elsewhere}, and here it is known at samples of q alone (sampled_only)"
            )
        return self.unsupported(problem, num_samples)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        """Whether E[estimate] is the gradient. Tested, not trusted."""
        return "unbiased"

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        """The function whose gradient is estimated; a bound of K samples is another one than the expected cost."""
        return EXPECTED_COST

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        """The noise of one gradient for each replicate, detached; by default the base noise of x."""
        return families.noise(problem.distribution(params), num_samples, source)

    @abstractmethod
    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        """The function whose gradient is the estimate; pure."""

    @final
    def gradient(self, problem: Problem, params: Params, noise: Noise) -> Params:
        """The gradient estimates, one for each replicate, shaped like the parameters."""

        def total(point: Params) -> Tensor:
            with computed_once():
                return self.surrogate(problem, point, noise).sum()

        if torch.compiler.is_compiling():
            return torch.func.grad(total)(params)
        # By `backward`, which takes half the time at R = 1, and hands out plain tensors, as NumPy needs them.
        point = {name: value.detach().requires_grad_() for name, value in params.items()}
        with torch.enable_grad():
            return derivative(total(point), point)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        """Evaluations of the cost for one gradient; the mean, rounded, where their number is random."""
        return num_samples

    def estimates_cost(self, problem: Problem) -> bool:
        """Whether the value of the surrogate estimates the cost; if not, it is zero."""
        return True

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        """Health figures of the estimate, e.g. an effective sample size, one for each replicate."""
        return {}

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Estimator":
        """An estimator whose coefficients were learned at `params` (R = 1) on noise of its own, and are frozen."""
        return self

    def update(self, problem: Problem, params: Params, noise: Noise) -> "Estimator":
        """The estimator after a training step, having learned from the noise of that step."""
        return self

    @final
    def require_support(self, problem: Problem, num_samples: int) -> None:
        """Raise `Unsupported` with the reason, if there is one; the problem is asked once for each `num_samples`."""
        if num_samples < 1:
            raise Unsupported(f"num_samples must be at least 1, not {num_samples}")
        asked = (type(self), self.spec, num_samples, problem.measured_in)
        if asked not in problem.refusals:
            problem.refusals[asked] = self.refusal(problem, num_samples)
        if (reason := problem.refusals[asked]) is not None:
            raise Unsupported(reason)

    @final
    def step(
        self, problem: Problem, params: Params, num_samples: int, source: NoiseSource | None = None
    ) -> "TrainingStep":
        """`loss`, and the estimator for the next step, which has learned from this one.

        An estimator that learns evaluates the costs once more for that; another comes back as it is. What it has
        learned is for the next step: on the samples that it was learned from the estimate would be biased.
        """
        noise = self._noise(problem, params, num_samples, source)
        point = replicated({name: value.detach() for name, value in params.items()}, 1)
        loss = self._loss(problem, params, noise)
        with computed_once():
            return TrainingStep(loss, self.update(problem, point, noise))

    @final
    def loss(
        self, problem: Problem, params: Params, num_samples: int, source: NoiseSource | None = None
    ) -> Float[Tensor, ""]:
        """A scalar for any training loop: `loss.backward()` leaves the gradient estimate in the parameters.

        `params` are as in `problem.initial_params()`, without the replicate axis. Without a source the noise follows
        torch's global seed. An estimator that learns needs `step`, and warns here where it has learned nothing.
        """
        noise = self._noise(problem, params, num_samples, source)
        if self.unlearned:
            warn_of_nothing_learned(self.spec)
        return self._loss(problem, params, noise)

    def _noise(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource | None) -> Noise:
        self.require_support(problem, num_samples)
        with torch.no_grad():
            return self.draw(problem, replicated(params, 1), num_samples, source or fresh_source(params))

    def _loss(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, ""]:
        # A parameter that the cost does not depend on gets the gradient zero, and not None. Of no entries the sum is 0.
        connection = sum(value.flatten()[:0].sum() for value in params.values())
        with computed_once():
            return self.surrogate(problem, replicated(params, 1), noise).squeeze(0) + connection


class TrainingStep(NamedTuple):
    """What `Estimator.step` returns."""

    loss: Float[Tensor, ""]
    """To be differentiated: `loss.backward()`."""
    estimator: Estimator
    """The estimator of the next step."""
