"""Exceptions as people read them."""

__all__ = ["advised", "reason"]

DTYPES = (
    "something of the problem keeps its own dtype, and gradmark works in float32 and in float64: make it an attribute "
    "of the problem, which `to` moves (tensors, modules), or write module.to(x.dtype)"
)
AUTOGRAD = "write torch.func.grad(lambda y: f(y).sum())(x) in place of torch.autograd.grad inside a cost"
ADVICE = {
    "must have the same dtype": DTYPES,
    "expected scalar type": DTYPES,
    "to have the same dtype": DTYPES,
    "does not require grad and does not have a grad_fn": AUTOGRAD,
    "inside of a function being transformed by a functorch": AUTOGRAD,
}
"""What to do about what torch says, by its words."""


def reason(error: BaseException) -> str:
    """An exception in one line."""
    first_line = advised(error)
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


def advised(error: BaseException) -> str:
    """What an exception says, in one line, and what to do, where that is known."""
    try:
        text = str(error)
    except Exception:  # an exception of a plug-in may fail to say what it is
        text = ""
    first_line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    advice = next((what for words, what in ADVICE.items() if words in first_line), "")
    return f"{first_line}; {advice}" if advice else first_line
