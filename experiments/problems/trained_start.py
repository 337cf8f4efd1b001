"""Points that training leads to, kept on disk."""

import hashlib
import math
import time
from functools import cache
from pathlib import Path

import torch

from estimators.interface import Params, Problem, Unsupported, started_at
from estimators.noise import IID, derive_seed
from estimators.registry import make_estimator, source_digest, source_is_known
from experiments.gradients.fingerprint import fingerprint
from experiments.gradients.prepare import prepare_unlearned
from experiments.gradients.problem_checks import usable_batch
from experiments.gradients.workload import Workload
from experiments.machine.caching import cache_folder
from experiments.machine.checkpoints import read_checkpoint, write_checkpoint
from experiments.machine.provenance import version
from experiments.terminal.telling import Tell, untold

__all__ = ["started_after", "trained_params"]

RATE, BATCH = 3e-3, 64
TRAINERS = ("pathwise", "per-data-point", "score-function:control_variate=leave-one-out")
"""The first of these that supports a problem takes its steps."""
SAMPLES = 4


def started_after(problem: Problem, steps: int, tell: Tell = untold) -> Problem:
    """The same problem, begun where a number of steps of training lead to: `started_at` says what that changes.

    The steps are Adam's, of rate 0.003, with 4 samples of the first of pathwise, per-data-point and leave-one-out that
    is unbiased there, on mini-batches of 64 where there are more data. They are the same every time. `tell` is told how
    far they are, and the seconds that are left.

    Raises `Unsupported` where none of these can be used; ValueError where the steps lead to what is not finite.
    """
    params = _parameters_after(problem, steps, _trainer(problem), SAMPLES, tell)
    return started_at(problem, params, f"after {steps} steps")


@cache
def trained_params(problem: Problem, steps: int, estimator: str, num_samples: int) -> Params:
    """The parameters, in float64, after a number of steps of an estimator; of problems that are known by their options.

    The estimator is given by its spec. They are the same every time, and kept on disk under all that defines them.
    """
    return _parameters_after(problem, steps, estimator, num_samples)


def _trainer(problem: Problem) -> str:
    moved, refused = problem.to("cpu", torch.float32), ""
    for spec in TRAINERS:
        estimator = make_estimator(spec)
        try:
            estimator.require_support(moved, SAMPLES)
        except Unsupported as why:
            refused = str(why)
            continue
        if estimator.claim(moved, SAMPLES) == "unbiased":
            return spec
        refused = f"{spec} is biased there"
    raise Unsupported(f"no estimator can take the steps of {problem.spec}: {refused}; begin at a state of your own")


def _parameters_after(problem: Problem, steps: int, spec: str, num_samples: int, tell: Tell = untold) -> Params:
    workload = prepare_unlearned(problem, make_estimator(spec), num_samples)
    if not source_is_known(problem):  # a notebook's class: what it was before is not to be found on the disk
        return _trained(workload, steps, tell)
    file = cache_folder() / "checkpoints" / f"{_key(workload, steps, RATE, BATCH, spec, num_samples)}.pt"
    found = _read(file, workload.point)
    if found is None:
        found = _trained(workload, steps, tell)
        write_checkpoint(file, found)
    return {name: value.double() for name, value in found.items()}


def _trained(workload: Workload, steps: int, tell: Tell) -> Params:
    """The trained parameters, in float32."""
    estimator, problem = workload.estimator, workload.problem
    params = {name: value.clone().requires_grad_() for name, value in workload.point.items()}
    optimiser = torch.optim.Adam(params.values(), lr=RATE)
    source = IID(derive_seed(problem.spec, "training"))
    batch = usable_batch(problem, workload.point, BATCH) if problem.num_data > BATCH else 0
    began = time.monotonic()
    for done in range(steps):
        tell(f"{done:,} of {steps:,} steps", (time.monotonic() - began) / done * (steps - done) if done else math.inf)
        part = problem
        if batch:
            part = problem.batch((source.stream("batches").uniform((1, batch)) * problem.num_data).long())
        optimiser.zero_grad()
        loss, estimator = estimator.step(part, params, workload.num_samples, source)
        loss.backward()
        optimiser.step()
    return {name: value.detach() for name, value in params.items()}


def _key(workload: Workload, *settings: object) -> str:
    problem = workload.problem
    parts = [version() or "unknown", torch.__version__, problem.spec, source_digest(problem), *map(str, settings)]
    digest = hashlib.sha256("\x1f".join([*parts, fingerprint(workload)]).encode())
    data = [value for _, value in sorted(vars(problem).items()) if isinstance(value, torch.Tensor)]
    for value in (*data, *workload.point.values()):
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read(file: Path, like: Params) -> Params | None:
    """The parameters in a file; None: there is no file, or not one of these parameters."""
    found = read_checkpoint(file)
    if not isinstance(found, dict) or {name: value.shape for name, value in found.items()} != _shapes(like):
        return None
    return found if all(value.isfinite().all() for value in found.values()) else None


def _shapes(params: Params) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in params.items()}
