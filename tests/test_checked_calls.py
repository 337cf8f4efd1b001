"""Shapes in signatures are checked under pytest, in the first call with such arguments."""

import jaxtyping
import pytest
import torch
from beartype import beartype
from checked_calls import kind_of
from jaxtyping import Float
from torch import Tensor

from estimators.discrete.set_probabilities import remainder
from estimators.registry import make_estimator


def test_what_is_given_and_what_is_returned_have_the_declared_shapes():
    def halved(x: Float[Tensor, "S R"]) -> Float[Tensor, "S R"]:
        return x[::2]

    assert remainder(torch.full((2, 3), -1.0)).shape == (3,)
    for function in (remainder, jaxtyping.jaxtyped(typechecker=beartype)(halved)):
        with pytest.raises(jaxtyping.TypeCheckError):
            function(torch.zeros(4))
    with pytest.raises(jaxtyping.TypeCheckError):
        jaxtyping.jaxtyped(typechecker=beartype)(halved)(torch.zeros(4, 2))


def test_other_shapes_are_checked_each_once_and_those_of_other_estimators():
    log_p = torch.full((2, 3), -1.0)
    for _ in range(3):
        remainder(log_p)
    with pytest.raises(jaxtyping.TypeCheckError):
        remainder(log_p[:, 0])
    assert kind_of({"x": log_p, "n": (1, None)}) == (("x", (log_p.shape, log_p.dtype)), ("n", (1, None)))
    assert kind_of(make_estimator("pathwise:form=implicit")) != kind_of(make_estimator("pathwise"))
    assert kind_of(log_p) != kind_of(log_p.double()) != kind_of(log_p[0].double())
