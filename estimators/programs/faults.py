"""What is wrong with a program, in one line with its place, and what to write instead."""

import difflib
import traceback
from collections.abc import Callable
from typing import Any

from torch.distributions import Distribution, constraints

from estimators.interface.params import Params
from estimators.registry.faults import defined_at, message, raised_at

__all__ = ["ProgramError", "cannot_be_checked", "differing", "explained", "told"]


class ProgramError(ValueError):
    """A program is not written as programs have to be; the message says what to write instead."""


ALONE = "or set mapped = False, and it is called for one sample at a time"
VALUES = "a value decides what the program does next, which cannot be mapped over samples: write torch.where(…)"
NUMBER = "the program makes a number of a tensor, which cannot be mapped over samples: leave out .item(), float(…)"
RANDOM = "the program draws random numbers of its own: ask for each by sample(name, q)"
STATE = "the program writes into a tensor that no sample has of its own: write state = state + … for state += …"
WORDS = {
    "data-dependent control flow": f"{VALUES}, {ALONE}",
    ".item()": f"{NUMBER}, {ALONE}",
    "requires grad. Use tensor.detach()": "the program takes a tensor out of torch: write .detach().numpy() or .item()",
    "Cannot access data pointer": f"the program leaves torch, which cannot be mapped over samples: use torch, {ALONE}",
    "randomness": RANDOM,
    "in-place": f"{STATE}, {ALONE}",
    "modified by an inplace operation": "the program writes into a tensor that a derivative needs: write state = "
    "state + … for state += …",
    "inplace": f"{STATE}, {ALONE}",
    "doesn't match the broadcast shape": f"{STATE}, {ALONE}",
}
"""What errors of torch have in them, and what to do."""


CHECKS = (Distribution.__init__.__code__, Distribution._validate_sample.__code__)
"""Where torch checks the arguments of distributions, and values."""


def cannot_be_checked(error: BaseException) -> bool:
    """Whether a check of torch itself failed that cannot be mapped, as that of a covariance matrix."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return files[-1] == constraints.__file__


def _refused(error: BaseException) -> str | None:
    """What torch refused in a mapped run, where it cannot name the numbers."""
    checks = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code in CHECKS]
    if not checks:
        return None
    found = checks[-1].f_locals
    what, constraint = found.get("param", "value"), found.get("constraint", found.get("support"))
    wanted = "" if constraint is None else f", where it has to be {constraint}"
    return (
        f"the {what} of {type(found['self']).__name__} is out of its range in some samples{wanted}: transform it, as "
        "by .exp() or .sigmoid()"
    )


def told(error: Exception, run: Callable[..., Any], params: Params) -> ProgramError | None:
    """What a program did wrong, where that is known."""
    place = raised_at(error) or defined_at(run)
    if isinstance(error, ProgramError):
        return error if place in str(error) else ProgramError(f"{error}{place}")
    if isinstance(error, KeyError) and error.args and error.args[0] not in params:
        return ProgramError(f"there is no parameter {_near(str(error.args[0]), list(params))}{place}")
    if not isinstance(error, RuntimeError):
        return None
    if (refused := _refused(error)) is not None:
        return ProgramError(f"{refused}{place}")
    found = next((words for part, words in WORDS.items() if part in str(error)), None)
    return None if found is None else ProgramError(f"{found}{place}")


def explained(error: Exception, run: Callable[..., Any], params: Params, point: tuple[Any, ...] = ()) -> ProgramError:
    """What goes wrong in a run that is neither mapped nor differentiated."""
    if (found := told(error, run, params)) is not None:
        return found
    called = ", ".join(["params", "sample", *("x" for _ in point)])
    if (place := raised_at(error)) == "" and isinstance(error, TypeError):
        return ProgramError(f"{message(error)}: it is called as run({called}){defined_at(run)}")
    kind = "" if isinstance(error, RuntimeError | ValueError) else f"{type(error).__name__}: "
    return ProgramError(f"the program fails: {kind}{message(error)}{place}")


def differing(names: list[str], others: list[str]) -> str:
    """A name that only one of two runs asks for, or the first."""
    return (sorted(set(names) ^ set(others)) or names)[0]


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"'{name}'; " + (f"did you mean '{near[0]}'?" if near else f"the program has {', '.join(known)}")
