"""Sweeps of a plug-in that stands beside them."""

from pathlib import Path

from experiments.sweep import Sweep, read_sweep

__all__ = ["MINIMAL", "PLUGIN", "sweep_of"]

PLUGIN = """
from dataclasses import dataclass
from typing import Literal
from estimators import Estimator, Problem, register_estimator, register_problem

@register_estimator("two-knobs")
@dataclass(frozen=True)
class TwoKnobs(Estimator):
    scale: float = 1.0
    side: Literal["left", "right"] = "left"
    def surrogate(self, problem, params, noise): ...

@register_estimator("plain")
@dataclass(frozen=True)
class Plain(Estimator):
    def surrogate(self, problem, params, noise): ...

@register_estimator("wrapper")
@dataclass(frozen=True)
class Wrapper(Estimator):
    base: Estimator = Plain()
    def surrogate(self, problem, params, noise): ...

@register_problem("bowl")
@dataclass(frozen=True)
class Bowl(Problem):
    dim: int = 2
    def initial_params(self): ...
    def distribution(self, params): ...
    def cost(self, x, params): ...
"""
MINIMAL = """
[[estimator]]
name = "plain"
[[problem]]
name = "bowl"
"""


def sweep_of(folder: Path, text: str) -> Sweep:
    file = folder / "mine.toml"
    file.write_text('plugins = "mine.py"\n' + text)
    return read_sweep(file)
