"""Compiled gradients: the same numbers, when they are made, what their compilation takes, and where it fails."""

from typing import Any

import pytest
import torch
from compilers import QUADRATIC, Given, estimated, work
from torch import Tensor

from estimators.interface import Params
from estimators.noise import IID
from experiments.gradients import compiling
from experiments.gradients.compiling import Compiled
from experiments.gradients.replay import Draw


def test_what_cannot_be_compiled_runs_eagerly_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: Any, **options: Any) -> Any:
        def fails(*arguments: Any) -> Any:
            raise RuntimeError("no compiler here\nand a second line")

        return fails

    monkeypatch.setattr(torch, "compile", broken)
    found = estimated(work("pathwise", compile=True), replicates=2048)
    expected = estimated(work("pathwise"), replicates=2048)
    assert found.total_variance == expected.total_variance
    (warning,) = [text for text in found.warnings if "could not be compiled" in text]
    assert "no compiler here" in warning and "second line" not in warning


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value * 1.001, "off by 0.001 of its size"),
        (lambda value: value * torch.where(torch.arange(len(value)) == 7, torch.nan, 1.0)[:, None], "not finite"),
        (lambda value: value + 0.01 * value.abs().mean(), "off by 0.01 of its size"),
        (lambda value: value * torch.where(torch.arange(value.shape[1]) == 1, 1.02, 1.0), "off by 0.02 of its size"),
    ],
)
def test_a_compiled_gradient_that_is_another_is_not_used(
    monkeypatch: pytest.MonkeyPatch, change: Any, reason: str
) -> None:
    def wrong(function: Any, **options: Any) -> Any:
        return lambda *arguments: {name: change(value) for name, value in function(*arguments).items()}

    monkeypatch.setattr(torch, "compile", wrong)
    found = estimated(work("pathwise", compile=True), replicates=2048)
    assert found.total_variance == estimated(work("pathwise"), replicates=2048).total_variance
    (warning,) = [text for text in found.warnings if "could not be compiled" in text]
    assert reason in warning


@pytest.mark.usefixtures("short_fits", "small_chunks")
@pytest.mark.parametrize(
    ("estimator", "problem", "ways"),
    [
        ("pathwise", QUADRATIC, 2),
        ("rebar", "bernoulli-toy", 2),
        ("stratified:scheme=sobol", QUADRATIC, 1),
        ("pathwise", "gamma-cost:dim=2", 1),
        ("pathwise", "von-mises-cost", 1),
    ],
)
def test_the_estimates_are_those_of_the_eager_gradient(estimator: str, problem: str, ways: int, given: Given) -> None:
    """To the bit, where nothing is compiled: the noise is the same, wherever it is made."""
    workload = work(estimator, problem, compile=True)
    for _ in range(2):
        for index in (0, 1):
            assert torch.equal(workload.gradients(index), workload.eager.gradients(index))
    assert isinstance(workload.step, Compiled) and len(workload.step._ways) == ways


def test_what_fails_later_is_given_up_for_every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def failing(function: Any, **options: Any) -> Any:
        def gradient(params: Params, entered: Any) -> Params:
            calls.append(len(params["loc"]))
            if len(params["loc"]) == 1:
                raise RuntimeError("no such shape")
            return function(params, entered)

        return gradient

    monkeypatch.setattr(torch, "compile", failing)
    workload = work("pathwise", compile=True)
    workload.gradients(0)
    with pytest.warns(UserWarning, match="no such shape"):
        one = workload.one_gradient()
    for name, value in workload.eager.one_gradient().items():
        assert torch.equal(one[name], value), "of the noise that had been drawn"
    assert calls == [workload.chunk, 1, 1], "inside, and outside"
    assert torch.equal(workload.gradients(1), workload.eager.gradients(1))
    assert len(calls) == 3, "not tried again"


def test_the_second_way_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """At shapes that the first had passed."""

    def failing(function: Any, **options: Any) -> Any:
        def gradient(params: Params, entered: Any) -> Params:
            if isinstance(entered, list):
                if len(params["loc"]) == 1:
                    raise RuntimeError("no such shape")
                return function(params, entered)
            return {name: 1.1 * value for name, value in function(params, entered).items()}

        return gradient

    monkeypatch.setattr(torch, "compile", failing)
    workload = work("pathwise", compile=True)
    workload.gradients(0)
    workload.one_gradient()
    with pytest.warns(UserWarning, match=r"off by 0\.1"):
        found = workload.gradients(1)
    assert torch.equal(found, workload.eager.gradients(1))


@pytest.mark.usefixtures("short_fits")
def test_a_draw_that_fails_is_an_error(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a reason to draw anew from a source that has moved."""
    workload = work("rebar", "bernoulli-toy", compile=True)
    workload.gradients(0)

    def fails(self: Draw, source: IID) -> Tensor:
        raise MemoryError("numpy")

    monkeypatch.setattr(Draw, "raw", fails)
    with pytest.raises(MemoryError):
        workload.gradients(1)


@pytest.mark.parametrize("compile", ["sometimes", "always", 1, None])
def test_compile_is_one_of_three(compile: Any) -> None:
    with pytest.raises(ValueError, match=r"compile must be True, False or 'auto', not"):
        work("pathwise", compile=compile)


def test_every_shape_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []
    monkeypatch.setattr(compiling, "check_agreement", lambda found, *others: checked.append(len(found["loc"])))
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    workload = work("pathwise", compile=True)
    for _ in range(3):
        workload.gradients(0)
        workload.one_gradient()
    assert checked == [workload.chunk, 1]
