"""A way through a square of cells on slippery ground."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, OneHotCategorical

from estimators import Params, Program, register_problem
from experiments.problems.options import check_options

__all__ = ["Gridworld"]

DIRECTIONS = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Up, right, down and left, as steps of (row, column): each the one before it, turned clockwise."""


@final
@register_problem("gridworld")
@dataclass(frozen=True)
class Gridworld(Program):
    r"""A softmax policy looks for the shortest way through a square of `side` × `side` cells with slippery ground.

    It begins in one corner; the goal is the opposite one. In each of T = `steps` steps the policy chooses a direction,
    $a_t \sim \mathrm{Categorical}(\mathrm{softmax}(\theta_{s_t}))$, and with probability `slip` the walker goes
    clockwise of it; at a wall it stays. A step costs `step_cost`, and one that reaches the goal is rewarded by 1. There
    the episode ends: what is chosen later costs nothing. The policy begins uniform. Exact by dynamic programming.
    Sutton & Barto 2018, ch. 13.
    """

    side: int = 3
    steps: int = 6
    slip: float = 0.2
    step_cost: float = 0.1
    moves: Tensor = field(init=False, repr=False, compare=False)
    """`[cells, directions, cells]`: one where the direction leads from the first cell to the last."""
    cost_depends_on_params: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self, side=2, steps=1)
        if not 0 <= self.slip <= 1:
            raise ValueError(f"slip must lie between 0 and 1, not {self.slip}")
        object.__setattr__(self, "moves", _moves(self.side))

    @classmethod
    def variants(cls) -> list[str]:
        return [f"{cls.name}:side=2,steps=3"]

    def initial_params(self) -> Params:
        return {"policy": torch.zeros(self.side**2, len(DIRECTIONS), dtype=torch.float64)}

    def run(self, params: Any, sample: Any) -> Any:
        cell, slip = self._corner(0), torch.full_like(self.moves[0, 0, 0], self.slip)
        for step in range(self.steps):
            # At the goal nothing is left to choose: a score there would be noise alone.
            chooses = 1 - cell[-1]
            q = OneHotCategorical(logits=chooses * (cell @ params["policy"]))
            action = sample(f"action{step}", q, state=cell)
            slips = sample(f"slip{step}", Bernoulli(slip))
            direction = (1 - slips) * action + slips * action.roll(1)
            cell = torch.einsum("c,d,cdn->n", cell, direction, self.moves)
            yield chooses * (self.step_cost - cell[-1])

    def expected_cost(self, params: Params) -> Float[Tensor, " R"]:
        chosen = params["policy"].softmax(-1)
        direction = (1 - self.slip) * chosen + self.slip * chosen.roll(1, -1)
        goal = self._corner(-1)
        to_come = torch.zeros_like(direction[..., 0])
        for _ in range(self.steps):
            ahead = self.step_cost - goal + to_come
            to_come = (1 - goal) * torch.einsum("rcd,cdn,rn->rc", direction, self.moves, ahead)
        return to_come[:, 0]

    def _corner(self, index: int) -> Float[Tensor, " cells"]:
        """The first cell or the last, one-hot."""
        return torch.eye(self.side**2, dtype=self.moves.dtype, device=self.moves.device)[index]


def _moves(side: int) -> Tensor:
    moves = torch.zeros(side**2, len(DIRECTIONS), side**2, dtype=torch.float64)
    for cell in range(side**2 - 1):
        row, column = divmod(cell, side)
        for index, (down, right) in enumerate(DIRECTIONS):
            to_row, to_column = (min(max(at, 0), side - 1) for at in (row + down, column + right))
            moves[cell, index, to_row * side + to_column] = 1
    moves[-1, :, -1] = 1  # the goal is left by no move
    return moves
