"""Where in a file of the user's own an error comes from, and what to write there."""

import inspect
import os
import re
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = ["defined_at", "is_installed", "message", "raised_at"]

SHIPPED = tuple(str(Path(__file__).parents[2] / name) for name in ("estimators", "experiments"))
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
REMEDIES = {
    "same dtype|scalar type (Float|Double|Half)|(Float and Double|Double and Float)": "something has another dtype "
    "than x and the parameters: make it an attribute of the problem, as a tensor or a module, or write constant.to(x)",
    "doesn't require grad|does not require grad|being transformed by a functorch": "a cost or a distribution is "
    "differentiated by whoever calls it: leave out .detach(), torch.no_grad() and .item(), and take derivatives of "
    "your own by torch.func.grad(lambda y: f(y).sum())(x)",
}
"""Parts of messages of torch, each with what to do about it in a problem or an estimator."""


def is_installed(file: str) -> bool:
    """Whether a source file is gradmark's, Python's or an installed package's, and no file of the user's own."""
    return file.startswith("<") or any(file.startswith(f"{folder}{os.sep}") for folder in (*SHIPPED, *INSTALLED))


def message(error: BaseException) -> str:
    """The first line that an exception says, and what to do where that is known; '' where it says nothing."""
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # an exception of a plug-in may fail to say what it is
        text = ""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    remedies = [remedy for pattern, remedy in REMEDIES.items() if raised_at(error) and re.search(pattern, first)]
    return ": ".join(filter(None, [first, *remedies[:1]]))


def raised_at(error: BaseException) -> str:
    """` (my_model.py:12)`, the innermost line in a file of the user's own that led to the error; '': there is none."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    own = [(file, line) for file, line in places if not is_installed(file)]
    return _place(*own[-1]) if own else ""


def defined_at(function: Callable) -> str:
    """` (my_model.py:12)`, the line in a file of the user's own where a function begins; '': it is not in one."""
    try:
        code = inspect.unwrap(getattr(function, "__func__", function)).__code__
    except AttributeError:
        return ""
    return "" if is_installed(code.co_filename) else _place(code.co_filename, code.co_firstlineno)


def _place(file: str, line: int | None) -> str:
    """Relative to the working directory, where the file lies in it."""
    try:
        shown = Path(file).relative_to(Path.cwd())
    except (ValueError, OSError):  # elsewhere, or the working directory is gone
        shown = file
    return f" ({shown}:{line})"
