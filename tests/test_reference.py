"""References: what an exact gradient must be, its order, and how often a reference is looked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Estimator, Noise, Objective, Params, Problem
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from estimators.score_function import ScoreFunction
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload, flatten
from experiments.measuring import find_reference as reference
from experiments.measuring.find_reference import References, find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.reference import NoReference, Reference
from experiments.sweep import Stop


@dataclass(frozen=True)
class Square(Problem):
    """x ~ N(loc, scale²) in two dimensions, f = |x|²: the gradient is 2 loc and 4 scale."""

    def initial_params(self) -> Params:
        return {"scale": torch.tensor(2.0).double(), "loc": torch.tensor([1.0, -3.0]).double()}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["scale"].unsqueeze(-1)), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x**2).sum(-1)


@dataclass(frozen=True)
class Given(Square):
    """With an exact gradient in another order than the parameters."""

    def exact_gradient(self, params: Params) -> Params:
        return {"loc": 2 * params["loc"], "scale": 4 * params["scale"]}


@dataclass(frozen=True)
class Aim(Objective):
    """An objective of which nothing but the gradient is known."""

    gradient: Callable[[Problem, Params], Any]
    name: str = "aim"

    def exact(self, problem: Problem, params: Params, num_samples: int) -> Any:
        return self.gradient(problem, params)


@dataclass(frozen=True)
class Aiming(Estimator):
    """Pathwise with an objective of its own."""

    aim: Callable[[Problem, Params], Any]

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise)

    def objective(self, problem: Problem, num_samples: int) -> Objective:
        return Aim(self.aim)


def work(problem: Problem, estimator: str = "pathwise") -> Workload:
    return prepare(problem, make_estimator(estimator), 2)


def test_an_exact_gradient_in_another_order_is_put_in_that_of_the_parameters() -> None:
    """An entry of `scale` comes before those of `loc`: in the reference, in the estimates, and in what is reported."""
    workload = work(Given())
    found = find_reference(workload)
    assert isinstance(found, Reference) and found.kind == "exact"
    np.testing.assert_array_equal(found.gradient, [8, 2, -6])
    mean = workload.gradients(0).double().mean(0).numpy()
    assert np.abs(mean - found.gradient).max() < 1
    measured = estimate(workload, found, Stop(replicates=50_000))
    assert measured.verdict != "biased" and measured.reference_gradient is not None
    np.testing.assert_array_equal(measured.reference_gradient["loc"], [2, -6])
    assert abs(measured.mean["scale"] - 8) < 4 * np.sqrt(measured.variance["scale"] / measured.replicates)


def test_flatten_follows_the_order_of_the_dictionary() -> None:
    params = {"b": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "a": torch.tensor([5.0, 6.0])}
    torch.testing.assert_close(flatten(params), torch.tensor([[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]]))


NAN = torch.tensor([torch.nan, 1.0]).double()
MISTAKES = {
    "missing": ({"scale": torch.ones(1)}, "must name scale, loc, not scale"),
    "more": ({"loc": NAN, "scale": NAN, "x": NAN}, "must name scale, loc, not loc, scale, x"),
    "empty": ({}, "must name scale, loc, not nothing"),
    "a tensor": (torch.ones(3), "must name scale, loc, not Tensor"),
    "no replicate axis": ({"scale": torch.tensor(1.0), "loc": torch.ones(2)}, r"in scale must be .* \[1\], not \[\]"),
    "another shape": ({"scale": torch.ones(1), "loc": torch.ones(1, 3)}, r"in loc must be .* \[1, 2\], not \[1, 3\]"),
    "numbers": ({"scale": 8.0, "loc": torch.ones(1, 2)}, "in scale must be a tensor .*, not float"),
    "not finite": ({"scale": torch.ones(1), "loc": NAN.unsqueeze(0)}, "is not finite at the initial parameters"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_an_exact_gradient_must_be(mistake: str) -> None:
    value, said = MISTAKES[mistake]

    @dataclass(frozen=True)
    class Wrong(Square):
        name = "wrong"

        def exact_gradient(self, params: Params) -> Any:
            return value

    aiming = Aiming(lambda problem, params: problem.exact_gradient(params))  # unlike pathwise, not typechecked here
    with pytest.raises(ValueError, match=f"^the exact gradient of wrong {said}") as refused:
        find_reference(prepare(Wrong(), aiming, 2))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("value", "found"),
    [(torch.tensor(1.0), r"\[\]"), (torch.ones(1, 2), r"\[1, 2\]"), (torch.ones(2), r"\[2\]"), (1.0, "float")],
)
def test_what_an_expected_cost_must_be(value: Any, found: str) -> None:
    @dataclass(frozen=True)
    class Wrong(Square):
        name = "wrong"

        def expected_cost(self, params: Params) -> Any:
            return value

    with pytest.raises(ValueError, match=rf"^expected_cost of wrong must be a tensor \[R\] = \[1\], not {found}$"):
        find_reference(work(Wrong()))


def test_a_gradient_that_overflows_is_refused() -> None:
    """Without a warning of numpy, which would fail here."""
    with pytest.raises(ValueError, match="log_scale=5000 is not finite at the initial parameters"):
        find_reference(work(make_problem("gaussian-quadratic:dim=2,log_scale=5000")))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Workload]]:
    """The workloads for which a gradient was measured, without success."""
    runs: list[Workload] = []
    monkeypatch.setattr(reference, "_uncached", {})
    monkeypatch.setattr(reference, "read", lambda key, size: None)
    monkeypatch.setattr(reference, "keep", lambda key, workload, found: None)

    def nothing(workload: Workload, *_: object) -> NoReference:
        runs.append(workload)
        return NoReference("nobody can")

    monkeypatch.setattr(reference, "measured_gradient", nothing)
    yield runs


def test_that_there_is_no_reference_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(reference, "measured_gradient", lambda *_: NoReference("nobody can"))
    first = find_reference(work(Square()))
    monkeypatch.setattr(reference, "measured_gradient", lambda *_: pytest.fail("it was known"))
    assert first == find_reference(work(Square(), "score-function")) == NoReference("nobody can")


def test_what_was_measured_for_a_class_of_a_notebook_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """For that very class: nothing else tells one version of it from the next."""
    runs: list[Workload] = []

    def measure(workload: Workload, *_: object) -> Reference:
        runs.append(workload)
        return Reference("measured", np.ones((64, 3)))

    monkeypatch.setattr(reference, "measured_gradient", measure)
    for count in (1, 2):
        namespace: dict[str, Any] = {"Square": Square, "dataclass": dataclass, "__name__": "notebook"}
        exec("@dataclass(frozen=True)\nclass Mine(Square):\n    pass", namespace)
        for estimator in ("pathwise", "score-function"):
            assert isinstance(find_reference(work(namespace["Mine"](), estimator)), Reference)
        assert len(runs) == count


def test_references_of_a_command_are_found_once_a_problem(measured: list[Workload]) -> None:
    calls = []

    @dataclass(frozen=True)
    class Counted(Given):
        name = "counted"

        def exact_gradient(self, params: Params) -> Params:
            calls.append(params)
            return super().exact_gradient(params)

    references = References()
    found = [references.find(work(Counted(), name)) for name in ("pathwise", "score-function", "pathwise")]
    assert len(calls) == 1 and found[0] is found[1] is found[2]
    assert references.find(work(make_problem("gaussian-quadratic:dim=3"))) is not found[0]


def test_an_estimator_with_an_objective_of_its_own_has_its_own_reference(measured: list[Workload]) -> None:
    def halved(problem: Problem, params: Params) -> Params:
        return {name: value / 2 for name, value in Given().exact_gradient(params).items()}

    references = References()
    whole = references.find(prepare(Given(), ScoreFunction(), 2))
    half = references.find(prepare(Given(), Aiming(halved), 2))
    assert isinstance(whole, Reference) and isinstance(half, Reference)
    np.testing.assert_array_equal(half.gradient, whole.gradient / 2)
