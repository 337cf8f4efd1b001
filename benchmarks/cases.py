"""What the asv suite goes through: every estimator variant, and the problems that it supports.

asv pairs the parameters of a benchmark by their index, and evaluates them anew in the environment of each commit. Read
from the registry that is installed there, they would shift as soon as one commit adds an estimator, and rows of
different estimators would be compared. So they stand in `cases.json`, which both sides take from the checkout that asv
runs in. `python -m benchmarks.cases` writes it anew from the registry; a test fails while the two differ.
"""

import json
import shutil
from pathlib import Path

__all__ = ["CASES", "DEVICES", "FILE", "NUM_SAMPLES", "PROBLEMS", "home", "pair_of", "registered"]

NUM_SAMPLES = 10
COMMON = [
    "gaussian-quadratic",
    "bernoulli-toy:dim=20,t=0.1",
    "gaussian-cosine:dim=1",
    "linear-gaussian:dim=2,points=2",
]
PROGRAMS = ["layers:bits=2", "gridworld:side=2,steps=3", "random-walk:p=10,steps=10", "token-policy:length=3"]
REST = ["digits-sbn:latent=4,points=2", *PROGRAMS, "gaussian-step:dim=2"]
"""The problems for variants that support none of COMMON; the other variants would take minutes on them."""
PROBLEMS = [*COMMON, *REST]
FILE = Path(__file__).with_name("cases.json")
CASES: dict[str, list[str]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
"""The problems of PROBLEMS that each variant supports."""
DEVICES = ["cpu", *(["cuda"] if shutil.which("nvidia-smi") else [])]


def home(estimator: str) -> str:
    """The problem on which a variant is timed."""
    return CASES[estimator][0]


def pair_of(estimator: str, problem: str) -> str:
    """The name of the rows of both."""
    return f"{estimator} on {problem}"


def registered() -> dict[str, list[str]]:
    """The cases that the registry gives now."""
    from estimators.interface import Estimator
    from estimators.registry import components, make_estimator, make_problem

    problems = {name: make_problem(name) for name in PROBLEMS}

    def supported(estimator: Estimator, names: list[str]) -> list[str]:
        return [name for name in names if not estimator.refusal(problems[name], NUM_SAMPLES)]

    kinds = [cls for cls in components("estimator").values() if issubclass(cls, Estimator)]
    variants = [make_estimator(spec) for cls in kinds for spec in cls.variants()]
    return {one.spec: supported(one, COMMON) or supported(one, REST)[:1] for one in variants}


if __name__ == "__main__":
    FILE.write_text(json.dumps(registered(), indent=2) + "\n", "utf-8")
