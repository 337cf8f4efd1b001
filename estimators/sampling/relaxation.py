r"""Continuous relaxations of discrete x: $x = \mathrm{hard}(z)$ of a Gumbel or logistic z, and $z \mid x$.

A sample of q is a function of a continuous z(u; θ), of which `soft` is a smoothed version; `conditional` draws z again
given the sample. Both are differentiable in θ. Shapes are those of x, `[S, R, *E]`, categorical x one-hot.
Maddison, Mnih & Teh 2017; Jang, Gu & Poole 2017; Tucker et al. 2017.
"""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

__all__ = ["Relaxation"]


class Relaxation(ABC):
    """How one kind of discrete variable is relaxed. `q` is what `unwrap` finds inside any `Independent`."""

    @abstractmethod
    def perturbed(self, q: Any, u: Tensor) -> Tensor:
        """z of uniforms, differentiable in the parameters."""

    @abstractmethod
    def hard(self, z: Tensor) -> Tensor:
        """The sample that z stands for, without a gradient."""

    @abstractmethod
    def soft(self, z: Tensor, temperature: Tensor | float) -> Tensor:
        """The sample smoothed; it tends to `hard` as the temperature tends to 0."""

    @abstractmethod
    def conditional(self, q: Any, x: Tensor, v: Tensor) -> Tensor:
        """z given the sample, of fresh uniforms, differentiable in the parameters."""
