"""Rows of data, of which each run of a program has one."""

from jaxtyping import Float
from torch import Tensor

from estimators.interface.params import Params
from estimators.programs.faults import ProgramError
from estimators.programs.paths import all_paths, joined_paths
from estimators.programs.program import Program

__all__ = ["apart", "first_row", "paths_of_a_row"]


def first_row(rows: object, name: str, shape: str, of: str) -> Tensor:
    """The first of rows `[N, X]` or `[R, N, X]`. ProgramError: there are none."""
    if not isinstance(rows, Tensor):
        kind = type(rows).__name__
        raise ProgramError(f"the {name} must be a tensor {shape}, not {kind}: write torch.as_tensor(…)")
    if rows.ndim not in (2, 3):
        raise ProgramError(f"the {name} must be {shape}, a row for each{of}, not {list(rows.shape)}")
    return rows.flatten(0, -2)[0]


def apart(each: Float[Tensor, "S V R N"]) -> Float[Tensor, "S W R"]:
    """Figures of variables: each variable of each row is one of its own."""
    return each.movedim(-1, 2).flatten(1, 2)


def paths_of_a_row(program: Program, params: Params) -> Tensor | None:
    """All paths of one row, `[K, R, N, *E]`, the same for each; None: there are too many to sum over."""
    rows, batch = program.mapped_data, program.batch_of(params)
    assert rows is not None
    found = None if program.sampled_only else all_paths(program.layout, batch[-1] * (1 + rows.shape[-1]))
    return None if found is None else joined_paths(program.layout, found, next(iter(params.values())), batch)
