"""Sweeps with published figures, as the tests of `gradmark reproduce` write them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SCALED", "SHIPPED", "altered", "shipped_text", "sweep_file", "toml"]

SHIPPED = {"arya2022", "dimitriev2021", "kool2020", "mohamed2020", "rainforth2018", "titsias2022"}
"""The shipped sweeps that carry published figures."""

SCALED = '''
"""The score function with leave-one-out, times a constant."""
from dataclasses import dataclass

from estimators import Estimator, make_estimator, register_estimator

BASE = make_estimator("score-function:control_variate=leave-one-out")


@register_estimator("scaled-leave-one-out")
@dataclass(frozen=True)
class Scaled(Estimator):
    factor: float = 1.0

    def draw(self, problem, params, num_samples, source):
        return BASE.draw(problem, params, num_samples, source)

    def surrogate(self, problem, params, noise):
        return self.factor * BASE.surrogate(problem, params, noise)
'''


def toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def sweep_file(folder: Path, row: Mapping[str, Any], **keys: Any) -> str:
    """A file with one published figure, of a sweep of its estimator and its problem; the row may lack both."""
    lists = {"estimator": [row.get("estimator", "pathwise")], "problem": [row.get("problem", "gaussian-quadratic")]}
    lines = [f"{key} = {toml(value)}" for key, value in {**lists, "num_samples": 1, **keys}.items()]
    file = folder / "mine.toml"
    file.write_text("\n".join([*lines, "[[published]]", *(f"{key} = {toml(value)}" for key, value in row.items())]))
    return str(file)


def shipped_text(name: str) -> str:
    import experiments

    return (Path(experiments.__file__).parent / "sweep" / "shipped" / f"{name}.toml").read_text("utf-8")


def altered(folder: Path, name: str, old: str, new: str) -> str:
    """A file of a shipped sweep in which one place is changed."""
    text = shipped_text(name)
    assert text.count(old) == 1
    file = folder / f"{name}.toml"
    file.write_text(text.replace(old, new))
    return str(file)
