"""Points that training leads to, kept on disk."""

import hashlib
from functools import cache
from pathlib import Path

import torch

from estimators.interface import Params, Problem
from estimators.noise import IID, derive_seed
from estimators.registry import make_estimator
from experiments.machine.caching import cache_folder
from experiments.machine.checkpoints import read_checkpoint, write_checkpoint
from experiments.machine.provenance import version

__all__ = ["trained_params"]

RATE, BATCH = 3e-3, 64


@cache
def trained_params(problem: Problem, steps: int, estimator: str, num_samples: int) -> Params:
    """The parameters, in float64, after a number of steps of Adam on mini-batches, from the problem's own start.

    The estimator is given by its spec. They are the same every time, and kept on disk under all that defines them.
    """
    key = _key(problem, steps, RATE, BATCH, estimator, num_samples)
    file = cache_folder() / "checkpoints" / f"{key}.pt"
    found = _read(file, problem.initial_params())
    if found is None:
        found = _trained(problem, steps, estimator, num_samples)
        write_checkpoint(file, found)
    return {name: value.double() for name, value in found.items()}


def _trained(problem: Problem, steps: int, spec: str, num_samples: int) -> Params:
    """The trained parameters, in float32."""
    estimator, moved = make_estimator(spec), problem.to("cpu", torch.float32)
    params = {name: value.float().requires_grad_() for name, value in problem.initial_params().items()}
    optimiser = torch.optim.Adam(params.values(), lr=RATE)
    source = IID(derive_seed(problem.spec, "training"))
    for _ in range(steps):
        indices = (source.stream("batches").uniform((1, BATCH)) * problem.num_data).long()
        optimiser.zero_grad()
        loss, estimator = estimator.step(moved.batch(indices), params, num_samples, source)
        loss.backward()
        optimiser.step()
    return {name: value.detach() for name, value in params.items()}


def _key(problem: Problem, *settings: object) -> str:
    parts = [version() or "unknown", torch.__version__, problem.spec, *map(str, settings)]
    digest = hashlib.sha256("\x1f".join(parts).encode())
    data = [value for _, value in sorted(vars(problem).items()) if isinstance(value, torch.Tensor)]
    for value in (*data, *problem.initial_params().values()):
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
