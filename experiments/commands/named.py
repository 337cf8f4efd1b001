"""A model and a guide of Pyro, by the modules that have them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from estimators import Program

__all__ = ["pyro_problem"]

FORM = "MODULE:MODEL,GUIDE[,DATA…], like coin:model,guide,flips"


def pyro_problem(text: str) -> "Program":
    """The problem of `module:model,module:guide,module:data…`; without a module, a name is in the one before it.

    What follows the guide is what both are called with. ValueError: there is no such thing, or it cannot be a program.
    """
    from estimators import from_pyro

    module, found = "", []
    for part in text.split(","):
        before, _, name = part.strip().rpartition(":")
        module = before or module
        if not module or not name:
            raise ValueError(f"--pyro takes {FORM}; '{part}' names no module")
        found.append(_object(module, name))
    if len(found) < 2:
        raise ValueError(f"--pyro takes a model and a guide: {FORM}")
    for what, part in zip(("model", "guide"), found, strict=False):
        if not callable(part):
            raise ValueError(f"--pyro takes {FORM}; the {what} is a {type(part).__name__}, which cannot be called")
    return from_pyro(*found)


def _object(module: str, name: str) -> Any:
    from estimators.registry.named import attribute

    try:
        return attribute(module, name)
    except ModuleNotFoundError as error:
        if error.name != "pyro":
            raise
        raise ValueError("Pyro is not installed: pip install 'gradmark[pyro]'") from error
