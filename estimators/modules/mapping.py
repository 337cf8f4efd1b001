"""What runs in place of functions of torch while a module is called for replicates."""

from collections.abc import Callable, Iterable
from typing import Any, final

from torch.nn import functional
from torch.overrides import TorchFunctionMode

from estimators.modules.attention import attention, with_replaced
from estimators.modules.convolution import CONVOLUTIONS
from estimators.modules.linear import embedding, linear
from estimators.modules.recurrent import RECURRENT, RECURRENT_ALONE
from estimators.modules.refusals import REFUSED

__all__ = ["ALONE", "IN_PROGRAM", "MAPPED", "Replacing", "Table"]

Table = dict[Callable[..., Any], Callable[..., Any]]


def _with_attention(table: Table) -> Table:
    table = {**table, functional.scaled_dot_product_attention: attention}
    whole = functional.multi_head_attention_forward
    return {**table, whole: with_replaced(whole, table)}  # pyright: ignore


ALONE = _with_attention({**REFUSED, **RECURRENT_ALONE})
"""For one replicate."""
MAPPED = _with_attention(
    {**REFUSED, functional.linear: linear, functional.embedding: embedding, **CONVOLUTIONS, **RECURRENT}
)
"""For several, inside of `torch.func.vmap`."""
IN_PROGRAM = {function: found for function, found in MAPPED.items() if function is not functional.linear}
"""For one sample of one replicate, inside of several `torch.func.vmap`, which map products well by themselves."""


@final
class Replacing(TorchFunctionMode):
    """Calls the functions of a table in place of those of torch."""

    def __init__(self, table: Table):
        super().__init__()
        self.table = table

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return self.table.get(func, func)(*args, **(kwargs or {}))
