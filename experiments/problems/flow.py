"""A normalizing flow that is fitted to a bent density."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, Transform, TransformedDistribution, constraints

from estimators.interface import Params, VariationalProblem
from estimators.registry import register_problem
from estimators.sampling import families
from experiments.problems.options import check_options
from experiments.problems.quadrature import gaussian_nodes
from experiments.problems.trained_start import trained_params

__all__ = ["Coupling", "Flow"]


class Coupling(Transform):
    r"""An affine coupling layer of the plane, $y_b = x_b e^{s(x_a)} + t(x_a)$, where $x_a$ stays as it is.

    s and t are the outputs of a network with one hidden layer of tanh units, s within ±1. Its weights are `[R, …]`.
    Dinh, Sohl-Dickstein & Bengio 2017.
    """

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, hidden: Float[Tensor, "R 2 H"], output: Float[Tensor, "R 2 H+1"], kept: int):
        super().__init__()
        self.hidden, self.output, self.kept = hidden, output, kept

    def _call(self, x: Tensor) -> Tensor:
        log_scale, shift = self._moves(x)
        return self._joined(x, x[..., 1 - self.kept] * log_scale.exp() + shift)

    def _inverse(self, y: Tensor) -> Tensor:
        log_scale, shift = self._moves(y)
        return self._joined(y, (y[..., 1 - self.kept] - shift) * (-log_scale).exp())

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self._moves(x)[0]

    def _moves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        slopes, offsets = self.hidden.unbind(1)
        units = (x[..., self.kept, None] * slopes + offsets).tanh()
        log_scale, shift = ((units * self.output[:, part, :-1]).sum(-1) + self.output[:, part, -1] for part in range(2))
        return log_scale.tanh(), shift

    def _joined(self, x: Tensor, moved: Tensor) -> Tensor:
        pair = (x[..., 0], moved) if self.kept == 0 else (moved, x[..., 1])
        return torch.stack(pair, -1)


@final
@register_problem("flow")
@dataclass(frozen=True)
class Flow(VariationalProblem):
    r"""A normalizing flow is fitted to a bent density in the plane: the divergence $\mathrm{KL}(q \| p)$, in nats.

    q is a standard Gaussian moved by `layers` affine couplings in turn (RealNVP), each with `hidden` units. The target
    is $p(x) = N(x_1; 0, 1)\, N(x_2; c\,(x_1^2 - 1), \frac14)$, c the `curvature`. The gradient is measured at small
    random weights, or after `steps` of training. The expectation is a trapezoidal rule over the noise.

    It shows what the score of q costs where q is flexible: `path-derivative` has no noise where q is the target.
    Vaitl, Nicoli, Nakajima & Kessel 2022.
    """

    layers: int = 4
    hidden: int = 8
    curvature: float = 0.5
    steps: int = 0
    """Steps of training before the point where the gradient is measured."""
    cost_depends_on_params: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self, layers=1, hidden=1)
        if self.steps < 0:
            raise ValueError(f"steps must be at least 0, not {self.steps}")

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:hidden=2,layers=2"]

    def initial_params(self) -> Params:
        if self.steps:
            return trained_params(replace(self, steps=0), self.steps, "pathwise", 4)
        generator = torch.Generator().manual_seed(0)

        def drawn(columns: int, scale: float) -> Tensor:
            return scale * torch.randn(self.layers, 2, columns, generator=generator, dtype=torch.float64)

        return {"hidden": drawn(self.hidden, 1.0), "output": drawn(self.hidden + 1, 0.1 / self.hidden**0.5)}

    def distribution(self, params: Params) -> Distribution:
        some = params["hidden"]
        zeros = torch.zeros(len(some), 2, dtype=some.dtype, device=some.device)
        base = Independent(Normal(zeros, torch.ones_like(zeros)), 1)
        couplings = [
            Coupling(params["hidden"][:, layer], params["output"][:, layer], layer % 2) for layer in range(self.layers)
        ]
        return TransformedDistribution(base, couplings)  # pyright: ignore[reportArgumentType]

    def energy(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return self._target_energy(x)

    def cost(self, x: Tensor, params: Params) -> Float[Tensor, "S R"]:
        return families.log_prob(self.distribution(params), x) + self._target_energy(x)

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        nodes, weights = gaussian_nodes(params["hidden"])
        z = torch.cartesian_prod(nodes, nodes).unsqueeze(1).expand(-1, len(params["hidden"]), 2)
        q = self.distribution(params)
        assert isinstance(q, TransformedDistribution)
        x, log_q = z, q.base_dist.log_prob(z)
        coupling: Any
        for coupling in q.transforms:
            before, x = x, coupling(x)
            log_q = log_q - coupling.log_abs_det_jacobian(before, x)
        return ((weights.unsqueeze(1) * weights).flatten().unsqueeze(1) * (log_q + self._target_energy(x))).sum(0)

    def _target_energy(self, x: Tensor) -> Float[Tensor, "S R"]:
        first, second = x.unbind(-1)
        bent = 2 * (second - self.curvature * (first**2 - 1))
        return (first**2 + bent**2) / 2 + math.log(math.pi)
