"""A problem that begins at other parameters than its own."""

from typing import TypeVar

from estimators.interface.params import Params
from estimators.interface.problem import Problem, changed

__all__ = ["started_at"]

P = TypeVar("P", bound=Problem)
OF_THE_START = ("initial_distribution", "refusals", "trials", "footprint")
"""What a problem keeps of its start, once it was asked for."""
NAMED = 3
"""The most names that an error repeats."""


def started_at(problem: P, params: Params, where: str = "at given parameters") -> P:
    """The same problem, whose initial parameters are others: gradients are measured and training begins there.

    `params` are as in `problem.initial_params()`, without the replicate axis. `where` follows the spec of the problem,
    so that results say where they are from: `digits-vae, after 200 steps`. Modules that the problem holds stay as they
    are: `module_params()` gives their own parameters.

    ValueError: the parameters are not those of the problem by name and shape, or not finite.
    """
    own = problem.initial_params()
    _check(own, params, f"{problem.spec} cannot begin {where}")
    start = {name: params[name].detach().to(value.device, value.dtype).clone() for name, value in own.items()}
    return changed(problem, OF_THE_START, initial_params=lambda: dict(start), begins=where)


def _check(own: Params, found: Params, failed: str) -> None:
    for said, names in (("missing", own.keys() - found.keys()), ("unknown", found.keys() - own.keys())):
        if names:
            first = ", ".join(sorted(names)[:NAMED])
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            raise ValueError(f"{failed}: {said} there: {first}{more}; its parameters are {', '.join(own)}")
    for name, value in own.items():
        if found[name].shape != value.shape:
            raise ValueError(f"{failed}: {name} must be {list(value.shape)}, not {list(found[name].shape)}")
        if not found[name].isfinite().all():
            raise ValueError(f"{failed}: {name} is not finite there")
