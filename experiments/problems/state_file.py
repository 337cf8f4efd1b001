"""Points that a user has trained, as torch saves them."""

from pathlib import Path

import torch
from torch import Tensor

from estimators.interface import Params, Problem, started_at

__all__ = ["started_from"]

SAVE = "write it by torch.save(params, FILE) or torch.save(module.state_dict(), FILE)"


def started_from(problem: Problem, file: str | Path) -> Problem:
    """The same problem, begun at the parameters in a file: `started_at` says what that changes.

    The file holds the parameters by name, or the state of a module, whose names lack the prefix of its
    `ReplicatedModule`. No code in it is run.

    ValueError: there is no such file, or it does not hold the parameters by name and shape.
    """
    found = _read(Path(file))
    prefix = _prefix(problem.initial_params(), found)
    return started_at(problem, {f"{prefix}{name}": value for name, value in found.items()}, f"at {Path(file).name}")


def _read(file: Path) -> Params:
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"state file {file} does not exist") from None
    except Exception:  # whatever a damaged file, or one of something else, makes of torch.load
        raise ValueError(f"state file {file} holds no tensors by name that could be read: {SAVE}") from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        kind = f"a dict of {', '.join(map(str, found))}" if isinstance(found, dict) else type(found).__name__
        raise ValueError(f"state file {file} holds {kind}, not tensors by name: {SAVE}")
    return found


def _prefix(own: Params, found: Params) -> str:
    """What the names in a file lack, where one prefix makes parameters of the problem of all of them."""
    first = next(iter(found), "")
    prefixes = {name.removesuffix(first) for name in own if name.endswith(first)}
    fitting = [prefix for prefix in sorted(prefixes) if all(f"{prefix}{name}" in own for name in found)]
    return fitting[0] if fitting else ""
