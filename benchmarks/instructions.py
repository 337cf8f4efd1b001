"""Instructions of the eager step, counted by callgrind: they do not depend on what else the machine does."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks.cases import CASES, home
from benchmarks.steps import Step, steps

__all__ = ["SELECTION", "Instructions", "prepared"]

SELECTION = "GRADMARK_BENCH"
"""The environment variable with the regular expressions of `--bench`, a line each: asv tells no setup_cache of them."""

CHILD = """
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

spec = PathFinder.find_spec("benchmarks", [{folder!r}])
sys.modules["benchmarks"] = module_from_spec(spec)

from benchmarks.instructions import prepared

steps = prepared({estimators!r})
"""
"""A program that finds the benchmarks alone: beside them lie packages of another commit than the installed one."""


class Instructions:
    """One gradient at R = 1, noise included: all in one run, since valgrind takes minutes to start torch."""

    param_names = ("estimator",)
    params = (list(CASES),)
    timeout = 3600

    def setup_cache(self) -> dict[str, int | str]:
        """The counts, or what went wrong; nothing of what this commit does not have."""
        if not shutil.which("valgrind"):
            return {}
        from torch.utils.benchmark import Timer

        os.environ["PYTHONHASHSEED"] = "0"
        asked = _asked()
        errors = {estimator: error for estimator in asked if (error := _error(estimator)) is not None}
        told = {estimator: error for estimator, error in errors.items() if error}
        working = [estimator for estimator in asked if estimator not in errors]
        if not working:
            return dict(told)
        child = CHILD.format(folder=str(Path(__file__).parents[1]), estimators=working)
        timer = Timer("next(steps)()", child)
        counted = timer.collect_callgrind(number=1, repeats=len(working), collect_baseline=False, retain_out_file=False)
        counts = dict(zip(working, (one.counts() for one in counted), strict=True))
        return {**counts, **told}

    def setup(self, counted: dict[str, int | str], estimator: str) -> None:
        if estimator not in counted:
            raise NotImplementedError("valgrind is not installed, or this commit does not have the estimator")
        if isinstance(counted[estimator], str):
            raise RuntimeError(counted[estimator])

    def track_instructions(self, counted: dict[str, int | str], estimator: str) -> int | str:
        return counted[estimator]

    track_instructions.unit = "instructions"


def prepared(estimators: Sequence[str]) -> Iterator[Step]:
    """The steps, warm; before them one that does nothing, which callgrind's own warm-up takes."""
    found = [_unfitted(estimator) for estimator in estimators]
    for step in found:
        step()
    return iter([lambda: None, *found])


def _asked() -> list[str]:
    """The estimators whose rows, as asv names them, one of the expressions selects; all where there is none."""
    asked = re.compile("|".join(f"(?:{regex})" for regex in os.environ.get(SELECTION, "").splitlines()))
    return [name for name in CASES if asked.search(f"instructions.Instructions.track_instructions({name!r})")]


def _error(estimator: str) -> str | None:
    """What goes wrong with a step: '' where this commit does not have it, None where nothing does."""
    try:
        _unfitted(estimator)()
    except NotImplementedError:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _unfitted(estimator: str) -> Step:
    """A step without a fit: what an estimator learns changes no count, and learning takes minutes here."""
    from estimators.registry import make_estimator

    try:
        kind = type(make_estimator(estimator))
    except ValueError as error:  # an earlier commit, which does not know the name
        raise NotImplementedError(str(error)) from None
    with patch.object(kind, "fit", lambda self, *arguments: self):
        return steps(estimator, home(estimator), "cpu")[0]
