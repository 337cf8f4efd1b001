"""GRU, LSTM and RNN step by step, in operations that `torch.func.vmap` maps; torch's own it does not map."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from estimators.modules.linear import linear
from estimators.modules.refusals import RANDOM, NotMapped

__all__ = ["RECURRENT", "RECURRENT_ALONE"]

States = tuple[Tensor, ...]
"""The hidden state; of an LSTM its cell state too."""
Cell = Callable[[Tensor, Tensor, States], States]
"""From what inputs and hidden state are multiplied to, and the states, to the next states."""


def _gru(of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    (reset, update, new), (old_reset, old_update, old) = of_input.chunk(3, -1), of_hidden.chunk(3, -1)
    keep = torch.sigmoid(update + old_update)
    candidate = torch.tanh(new + torch.sigmoid(reset + old_reset) * old)
    return (candidate + keep * (states[0] - candidate),)


def _lstm(of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    entry, forget, new, out = (of_input + of_hidden).chunk(4, -1)
    cell = torch.sigmoid(forget) * states[1] + torch.sigmoid(entry) * torch.tanh(new)
    return torch.sigmoid(out) * torch.tanh(cell), cell


def _rnn(nonlinearity: Callable[[Tensor], Tensor], of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    return (nonlinearity(of_input + of_hidden),)


def _one_step(cell: Cell, x: Tensor, hidden: Any, w_in: Tensor, w_hidden: Tensor, *biases: Tensor | None) -> Any:
    """What `torch.gru_cell` and its like return."""
    of_input, of_hidden = biases or (None, None)
    states = (hidden,) if isinstance(hidden, Tensor) else tuple(hidden)
    found = cell(linear(x, w_in, of_input), linear(states[0], w_hidden, of_hidden), states)
    return found[0] if isinstance(hidden, Tensor) else found


def _all_steps(cell: Cell, x: Tensor, hidden: Any, weights: Any, *settings: Any) -> States:
    """What `torch.gru` and its like return: the outputs of the last layer, and the last states of all layers."""
    if not isinstance(weights, Sequence):
        raise NotMapped("it takes a packed sequence: give it padded sequences")
    has_biases, layers, dropout, train, bidirectional, *last = settings
    _check(layers, dropout, train)
    directions, batch_first = 2 if bidirectional else 1, any(last)
    starts = (hidden,) if isinstance(hidden, Tensor) else tuple(hidden)
    size = len(weights) // (layers * directions)
    x, ends = x.transpose(0, 1) if batch_first else x, []
    for layer in range(layers):
        outputs = []
        for which in range(layer * directions, (layer + 1) * directions):
            own, states = weights[which * size : (which + 1) * size], tuple(start[which] for start in starts)
            backwards = which % directions == 1
            found, states = _through_time(cell, x.flip(0) if backwards else x, states, own, has_biases)
            outputs.append(found.flip(0) if backwards else found)
            ends.append(states)
        x = torch.cat(outputs, -1)
    return (x.transpose(0, 1) if batch_first else x, *(torch.stack(each) for each in zip(*ends, strict=True)))


def _through_time(
    cell: Cell, x: Tensor, states: States, weights: Sequence[Tensor], has_biases: bool
) -> tuple[Tensor, States]:
    """One layer in one direction: the hidden states at all times, and the last states."""
    w_in, w_hidden, *others = weights
    of_input, of_hidden = others[:2] if has_biases else (None, None)
    projection = others[2:] if has_biases else others
    outputs = []
    for step in linear(x, w_in, of_input).unbind(0):
        states = cell(step, linear(states[0], w_hidden, of_hidden), states)
        if projection:
            states = (linear(states[0], projection[0]), *states[1:])
        outputs.append(states[0])
    return torch.stack(outputs), states


def _alone(function: Callable[..., Any], *inputs: Any) -> Any:
    """torch's own, for one replicate."""
    first = next(index for index, given in enumerate(inputs) if isinstance(given, bool))
    _check(*inputs[first + 1 : first + 4])
    return function(*inputs)


def _check(layers: int, dropout: float, train: bool) -> None:
    if dropout and train and layers > 1:
        raise NotMapped(RANDOM)


_tanh, _relu = partial(_rnn, torch.tanh), partial(_rnn, torch.relu)
SEQUENCES = {torch.gru: _gru, torch.lstm: _lstm, torch.rnn_tanh: _tanh, torch.rnn_relu: _relu}
CELLS = {torch.gru_cell: _gru, torch.lstm_cell: _lstm, torch.rnn_tanh_cell: _tanh, torch.rnn_relu_cell: _relu}

RECURRENT: dict[Callable[..., Any], Callable[..., Any]] = {
    **{function: partial(_all_steps, cell) for function, cell in SEQUENCES.items()},
    **{function: partial(_one_step, cell) for function, cell in CELLS.items()},
}
RECURRENT_ALONE: dict[Callable[..., Any], Callable[..., Any]] = {
    function: partial(_alone, function) for function in SEQUENCES
}
