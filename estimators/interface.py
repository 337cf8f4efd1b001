"""The interface of gradmark: what a problem, an estimator and a control variate are. Read this first.

Every estimator is a deterministic, differentiable function of parameters and noise. Noise is drawn first, without
gradients; then `surrogate` turns parameters and noise into one scalar per replicate, whose gradient with respect to the
parameters *is* the gradient estimate and whose value is an estimate of the cost (or zero: `Estimator.estimates_cost`).

Shapes: R replicates, S samples per gradient, event shape E. Samples are `[S, R, *E]`, costs `[S, R]`, surrogates `[R]`,
parameters `[R, *shape]`. R replicates cost one backward pass; a training loop has R = 1. Costs are minimised.
"""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution

from estimators import families, specs
from estimators.noise import IID, NoiseSource

__all__ = [
    "Claim",
    "ControlVariate",
    "Estimator",
    "Noise",
    "Params",
    "Problem",
    "ScoredSamples",
    "Unsupported",
    "attached",
    "derivative",
    "distinct",
    "learned",
    "replicated",
]

ENUMERATED = 2**14
"""States whose probabilities are differentiated at a time."""
EVALUATION_SAMPLES = 1_000

Params = dict[str, Tensor]
"""Named parameters, each `[R, *shape]`."""
Noise = Any
"""A pytree of tensors, detached."""
Claim = Literal["unbiased", "biased"]


class Unsupported(ValueError):
    """An estimator cannot be used on a problem; the message says why."""


def learned() -> Any:
    """A dataclass field for what an estimator has learned: never an option of its spec, `None` until learned."""
    return field(default=None, repr=False, compare=False, kw_only=True, metadata={"learned": True})


def replicated(params: Params, replicates: int) -> Params:
    """Parameters without a replicate axis as `[R, *shape]`, without copying."""
    return {name: value.expand(replicates, *value.shape) for name, value in params.items()}


def distinct(params: Params) -> Params:
    """One replicate where all are the same point by construction (`replicated`: stride 0), else all, detached."""
    return {name: (value[:1] if value.stride(0) == 0 else value).detach() for name, value in params.items()}


def derivative(total: Tensor, params: Params, *, differentiable: bool = False) -> Params:
    """The gradient of a scalar by autograd; zero for parameters that it does not depend on, be it all of them.

    With `differentiable` the gradient can be differentiated in turn, e.g. in coefficients that `fit` learns.
    """
    if not total.requires_grad:
        return {name: torch.zeros_like(value) for name, value in params.items()}
    gradients = torch.autograd.grad(total, list(params.values()), materialize_grads=True, create_graph=differentiable)
    return dict(zip(params, gradients, strict=True))


def attached(slopes: Tensor, y: Tensor) -> Float[Tensor, " R"]:
    """Zero, with the constant slopes `[R, *shape]` as its gradient in y `[R, *shape]`."""
    return (slopes * (y - y.detach())).reshape(len(y), -1).sum(1)


class Component:
    """What a spec builds: a frozen dataclass whose fields, all with defaults, are its options."""

    name: ClassVar[str] = ""  # set by registration

    @classmethod
    def variants(cls) -> list[str]:
        """The specs that `rank`, `check`, the conformance tests and the benchmarks go through.

        Those of a problem are small enough to see a bias of 1 %.
        """
        return [cls.name]

    @property
    def spec(self) -> str:
        """The canonical spec: `name`, or `name:key=value,…` with sorted keys and defaults left out."""
        return specs.canonical(self)


class Problem(Component, ABC):
    """The objective E_{x ~ q(x; params)}[cost(x, params)], whose gradient is estimated.

    Data and constants are tensors among the attributes (dataclass fields with `init=False`), in float64 where they are
    floating point; `to` moves them.
    """

    differentiable: ClassVar[bool] = True
    """The cost is differentiable in x, with no jumps."""
    cost_depends_on_params: ClassVar[bool] = False

    @abstractmethod
    def initial_params(self) -> Params:
        """The point where gradients are measured: named tensors without the replicate axis."""

    @abstractmethod
    def distribution(self, params: Params) -> Distribution:
        """q(x; params), with batch shape `[R]` and event shape E."""

    @cached_property
    def initial_distribution(self) -> Distribution:
        """q at the initial parameters, R = 1, float64: what kind of x there is, for `unsupported`."""
        params = {name: value.detach().cpu().double() for name, value in self.initial_params().items()}
        return self.to("cpu", torch.float64).distribution(replicated(params, 1))

    @abstractmethod
    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        """The costs of samples `[S, R, *E]`."""

    def support(self, params: Params) -> Tensor | None:
        """All K states of x, `[K, R, *E]`, where there are few enough; categorical states are one-hot."""
        return None

    def expected_cost(self, params: Params) -> Float[Tensor, " R"] | None:
        """E[cost] as a differentiable function of float64 parameters: a formula, a quadrature, or by default the
        sum over `support`; None: unknown."""
        states = self.support(params)
        return None if states is None else self._sum_over(states, params)

    def _sum_over(self, states: Tensor, params: Params) -> Float[Tensor, " R"]:
        return (self.distribution(params).log_prob(states).exp() * self.cost(states, params)).sum(0)

    def exact_gradient(self, params: Params) -> Params | None:
        """The gradient of E[cost] in float64, one per replicate; None: unknown. By default that of `expected_cost`.

        ValueError: `expected_cost` is not `[R]`.
        """
        exact = {name: value.detach().double().requires_grad_() for name, value in params.items()}
        moved = self.to(next(iter(exact.values())).device, torch.float64)
        with torch.enable_grad():
            if type(self).expected_cost is Problem.expected_cost:
                return moved._enumerated_gradient(exact)
            value = moved.expected_cost(exact)
            if value is None:
                return None
            wanted, shape = tuple(next(iter(exact.values())).shape[:1]), getattr(value, "shape", None)
            if shape != wanted:
                found = type(value).__name__ if shape is None else list(shape)
                raise ValueError(f"expected_cost of {self.spec} must be a tensor [R] = {list(wanted)}, not {found}")
            return derivative(value.sum(), exact)

    def _enumerated_gradient(self, params: Params) -> Params | None:
        """Over blocks of states, so that memory does not grow with their number."""
        states = self.support(params)
        if states is None:
            return None
        blocks = [derivative(self._sum_over(block, params).sum(), params) for block in states.split(ENUMERATED)]
        return {name: torch.stack([block[name] for block in blocks]).sum(0) for name in params}

    @property
    def num_data(self) -> int:
        """The data points that `batch` chooses from; 0: the cost is not a sum over data."""
        return 0

    def batch(self, indices: Shaped[Tensor, "R B"]) -> "Problem":
        """The problem on a mini-batch of data points for each replicate: R parameters, each with data of its own.

        Scaled, so that over uniformly drawn indices the expected cost is that of all data.
        ValueError: there is no data.
        """
        raise ValueError(f"{self.spec} has no data to draw mini-batches from")

    def evaluate(self, params: Params, source: NoiseSource) -> dict[str, Float[Tensor, " R"]]:
        """How good parameters are, for each replicate: the `objective`, exact or from many samples, and what else
        training should report, e.g. that of data held out."""
        expected = self.expected_cost(params)
        if expected is None:
            q = self.distribution(params)
            x = families.values(q, families.noise(q, EVALUATION_SAMPLES, source))
            expected = self.cost(x, params).mean(0)
        return {"objective": expected}

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Problem":
        """This problem with its tensors on a device and its floating-point ones in a dtype."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                kind = dtype if value.is_floating_point() else value.dtype
                object.__setattr__(moved, name, value.to(device, kind))
        return moved


class Estimator(Component, ABC):
    """A gradient estimator: `draw` the noise, then differentiate `surrogate`."""

    structured: ClassVar[bool] = True
    """The samples are draws from one distribution, one by one, so that a structured source can place them."""
    measured_by: ClassVar[tuple[str, ...]] = (
        "pathwise",
        "score-function:control_variate=leave-one-out",
        "score-function",
    )
    """Unbiased estimators of the same target, which measure it where it is unknown: the best that agrees with the last,
    the plainest. Who overrides `target` says here what measures it, or nothing does."""
    target_depends_on_samples: ClassVar[bool] = False

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        """Why the estimator cannot be used here, as a sentence; None: it can."""
        return None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        """Whether E[estimate] is the gradient. Tested, not trusted."""
        return "unbiased"

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        """The noise of one gradient for each replicate, detached; by default the base noise of x."""
        return families.noise(problem.distribution(params), num_samples, source)

    @abstractmethod
    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        """The function whose gradient is the estimate; pure."""

    def gradient(self, problem: Problem, params: Params, noise: Noise) -> Params:
        """The gradient estimates, one for each replicate, shaped like the parameters."""
        return torch.func.grad(lambda point: self.surrogate(problem, point, noise).sum())(params)

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        """Evaluations of the cost for one gradient."""
        return num_samples

    def needs_independent_samples(self) -> bool:
        """Whether the claim holds for independent samples only, so that a structured source makes it biased."""
        return False

    def estimates_cost(self, problem: Problem) -> bool:
        """Whether the value of the surrogate estimates the cost; if not, it is zero."""
        return True

    def target(self, problem: Problem, params: Params, num_samples: int) -> Params | None:
        """The gradient that is estimated, in float64; None: unknown."""
        return problem.exact_gradient(params)

    def diagnostics(self, problem: Problem, params: Params, noise: Noise) -> dict[str, Float[Tensor, " R"]]:
        """Health figures of the estimate, e.g. an effective sample size, one for each replicate."""
        return {}

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Estimator":
        """An estimator whose coefficients were learned at `params` (R = 1) on noise of its own, and are frozen."""
        return self

    def update(self, problem: Problem, params: Params, noise: Noise) -> "Estimator":
        """In training, after a step: an estimator that has learned from the noise of that step."""
        return self

    def require_support(self, problem: Problem, num_samples: int) -> None:
        """Raise `Unsupported` with the reason, if there is one."""
        reason = f"num_samples must be at least 1, not {num_samples}" if num_samples < 1 else None
        if reason := reason or self.unsupported(problem, num_samples):
            raise Unsupported(reason)

    def loss(
        self, problem: Problem, params: Params, num_samples: int, source: NoiseSource | None = None
    ) -> Float[Tensor, ""]:
        """A scalar for any training loop: `loss.backward()` leaves the gradient estimate in the parameters.

        `params` are as in `problem.initial_params()`, without the replicate axis. Without a source the noise follows
        torch's global seed.
        """
        self.require_support(problem, num_samples)
        batched = replicated(params, 1)
        if source is None:
            some = next(iter(params.values()))
            source = IID(int(torch.randint(2**62, ())), some.device, some.dtype)
        with torch.no_grad():
            noise = self.draw(problem, batched, num_samples, source)
        # A cost without a path to some parameter gives it the gradient zero, and not none at all.
        connection = sum((0 * value).sum() for value in params.values())
        return self.surrogate(problem, batched, noise).squeeze(0) + connection


@dataclass(frozen=True)
class ScoredSamples:
    """Samples with their costs and scores, as a control variate sees them."""

    problem: Problem
    params: Params
    q: Distribution
    point: Params
    """`distinct(params)`: where derivatives of the cost are taken."""
    path: Shaped[Tensor, "S R *E"]
    """The samples: functions of the parameters where the control variate asks for that, else constants."""
    x: Shaped[Tensor, "S R *E"]
    """The samples, detached."""
    direct: Float[Tensor, "S R"]
    """The costs, with the gradient of their own dependence on the parameters."""
    cost: Float[Tensor, "S R"]
    """The costs, detached."""
    score: Float[Tensor, "S R"]
    """log q(x) − stop_gradient(log q(x)): zero, with the score as its gradient."""

    @classmethod
    def of(cls, problem: Problem, params: Params, path: Tensor) -> "ScoredSamples":
        """Samples `[S, R, *E]` with their costs and scores."""
        q, x = problem.distribution(params), path.detach()
        log_q, direct = families.log_prob(q, x), problem.cost(x, params)
        return cls(problem, params, q, distinct(params), path, x, direct, direct.detach(), log_q - log_q.detach())


class ControlVariate(Component, ABC):
    """A term of known, zero expected gradient that `score-function` subtracts from its surrogate."""

    uses_other_samples: ClassVar[bool] = False
    """The term of a sample depends on the other samples, so that its zero mean needs independent samples."""
    needs_samples_of_q: ClassVar[bool] = False
    """The mean of the term is zero only where the other samples are from q too, not from a proposal."""
    differentiates_samples: ClassVar[bool] = False
    """The term needs the samples as differentiable functions of the parameters (`ScoredSamples.path`)."""

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        """Why it cannot be used here, as a sentence; None: it can."""
        return None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        """Whether the expected gradient of the term really is zero."""
        return "unbiased"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        """Evaluations of the cost beyond those of the samples."""
        return 0

    @abstractmethod
    def term(self, samples: ScoredSamples) -> Float[Tensor, "S R"]:
        """What is subtracted, for each sample: value zero, and a gradient of mean zero under q given the others."""

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "ControlVariate":
        """See `Estimator.fit`."""
        return self

    def update(self, samples: ScoredSamples) -> "ControlVariate":
        """See `Estimator.update`."""
        return self
