"""Points that a user has trained, as torch saves them."""

from pathlib import Path

import torch
from torch import Tensor

from estimators.interface import Params, Problem, parts_met, started_at
from experiments.gradients.problem_checks import check_initial_point

__all__ = ["started_from"]

SAVE = "write it by torch.save(params, FILE) or torch.save(module.state_dict(), FILE)"


def started_from(problem: Problem, file: str | Path) -> Problem:
    """The same problem, begun at the parameters in a file: `started_at` says what that changes.

    The file holds the parameters by name, or the state of a module, whose names lack the prefix of its
    `ReplicatedModule`. Of a state, buffers and the second names of tied parameters have to be what the modules of the
    problem have. No code in it is run.

    ValueError: there is no such file, or it does not hold the parameters by name and shape.
    """
    found, own = _read(Path(file)), problem.initial_params()
    with parts_met() as parts:
        check_initial_point(problem)
    held = {name: value for part in parts for name, value in part.state().items()}
    prefix = _prefix({**own, **held}, found)
    named = {f"{prefix}{name}": value for name, value in found.items()}
    for name in held.keys() & named.keys() - own.keys():
        _check_other(name, named, held, own, file)
        del named[name]
    return started_at(problem, named, f"at {Path(file).name}")


def _check_other(name: str, found: Params, held: Params, own: Params, file: str | Path) -> None:
    """ValueError: a buffer, or the second name of a parameter, is not what the problem would take it for."""
    first = next((one for one, value in held.items() if value is held[name] and one in own), None)
    if first is not None:
        if first in found and not torch.equal(found[first], found[name]):
            raise ValueError(
                f"state file {file} holds different {first} and {name}, which are one parameter in the module: "
                "leave out one of them"
            )
    elif not torch.equal(found[name].to(held[name]), held[name].cpu()):
        raise ValueError(
            f"state file {file} holds another {name} than the module of the problem, which is a buffer and no "
            "parameter: let the module load the file itself, before the problem is made of it"
        )


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
