"""Shapes in signatures are checked under pytest, in the first calls of a test."""

import jaxtyping
import pytest
import torch
from beartype import beartype
from checked_calls import FIRST, start_again
from jaxtyping import Float
from torch import Tensor

from estimators.discrete.set_probabilities import remainder


def test_what_is_given_and_what_is_returned_have_the_declared_shapes():
    def halved(x: Float[Tensor, "S R"]) -> Float[Tensor, "S R"]:
        return x[::2]

    assert remainder(torch.full((2, 3), -1.0)).shape == (3,)
    for function in (remainder, jaxtyping.jaxtyped(typechecker=beartype)(halved)):
        with pytest.raises(jaxtyping.TypeCheckError):
            function(torch.zeros(4))
    with pytest.raises(jaxtyping.TypeCheckError):
        jaxtyping.jaxtyped(typechecker=beartype)(halved)(torch.zeros(4, 2))


def test_a_loop_is_checked_at_its_beginning_and_each_test_anew():
    log_p = torch.full((2, 3), -1.0)
    for _ in range(FIRST):
        remainder(log_p)
    assert remainder(log_p[:, 0]).shape == ()
    start_again()
    with pytest.raises(jaxtyping.TypeCheckError):
        remainder(log_p[:, 0])
