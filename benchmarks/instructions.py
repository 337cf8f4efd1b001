"""Instructions of the eager step, counted by callgrind: they do not depend on what else the machine does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from benchmarks.cases import CASES, home
from benchmarks.steps import Step, steps

__all__ = ["Instructions", "prepared"]

CHILD = f"""
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

spec = PathFinder.find_spec("benchmarks", [{str(Path(__file__).parents[1])!r}])
sys.modules["benchmarks"] = module_from_spec(spec)

from benchmarks.instructions import prepared

steps = prepared()
"""
"""Of the benchmarks alone: beside them lie packages of another commit than the one that is installed."""


class Instructions:
    """One gradient at R = 1, noise included: all in one run, since valgrind takes minutes to start torch."""

    param_names = ("estimator",)
    params = (list(CASES),)
    timeout = 3600

    def setup_cache(self) -> dict[str, int]:
        if not shutil.which("valgrind"):
            return {}
        from torch.utils.benchmark import Timer

        os.environ["PYTHONHASHSEED"] = "0"
        timer = Timer("next(steps)()", CHILD)
        known = _known()
        counted = timer.collect_callgrind(number=1, repeats=len(known), collect_baseline=False, retain_out_file=False)
        return dict(zip(known, (one.counts() for one in counted), strict=True))

    def setup(self, counted: dict[str, int], estimator: str) -> None:
        if estimator not in counted:
            raise NotImplementedError("valgrind is not installed, or this commit does not have the estimator")

    def track_instructions(self, counted: dict[str, int], estimator: str) -> int:
        return counted[estimator]

    track_instructions.unit = "instructions"


def prepared() -> Iterator[Step]:
    """The steps, warm; before them one that does nothing, which callgrind's own warm-up takes."""
    found = [_unfitted(estimator) for estimator in _known()]
    for step in found:
        step()
    return iter([lambda: None, *found])


def _known() -> list[str]:
    """The cases that this commit has."""
    from estimators.registry import make_estimator

    def is_known(estimator: str) -> bool:
        try:
            return bool(make_estimator(estimator))
        except ValueError:
            return False

    return [estimator for estimator in CASES if is_known(estimator)]


def _unfitted(estimator: str) -> Step:
    """What an estimator learns changes no count, and learning takes minutes here."""
    from estimators.registry import make_estimator

    with patch.object(type(make_estimator(estimator)), "fit", lambda self, *arguments: self):
        return steps(estimator, home(estimator), "cpu")[0]
