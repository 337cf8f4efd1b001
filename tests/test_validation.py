"""Mistakes in problems and estimators are told in a line, and not by what breaks inside."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from test_check import HEAD, PROBLEM
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Estimator, Noise, Params, Problem
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from estimators.sampling.families import sample
from experiments.gradients.prepare import prepare

QUADRATIC = make_problem("gaussian-quadratic:dim=3")


@dataclass(frozen=True)
class Returning(Estimator):
    """Pathwise, whose surrogate and claim go through functions."""

    name = "returning"
    change: Callable[[Tensor], Any] = lambda costs: costs.mean(0)
    claimed: Any = "unbiased"

    @property
    def spec(self) -> str:
        return "returning"

    def claim(self, problem: Problem, num_samples: int) -> Any:
        return self.claimed

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Any:
        return self.change(problem.cost(sample(problem.distribution(params), noise), params))


SURROGATES: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "[S, R]": (lambda costs: costs, r"must be \[R\] = \[2\], not \[4, 2\]"),
    "[S]": (lambda costs: costs.mean(1), r"must be \[R\] = \[2\], not \[4\]"),
    "0-d": (lambda costs: costs.mean(), r"must be \[R\] = \[2\], not \[\]"),
    "[R, 1]": (lambda costs: costs.mean(0).unsqueeze(-1), r"must be \[R\] = \[2\], not \[2, 1\]"),
    "a number": (lambda costs: 3, r"must be a tensor \[R\], not int"),
    "nothing": (lambda costs: None, r"must be a tensor \[R\], not NoneType"),
}


@pytest.mark.parametrize("mistake", SURROGATES)
def test_the_shape_of_the_surrogate(mistake: str) -> None:
    change, said = SURROGATES[mistake]
    with pytest.raises(ValueError, match=rf"^the surrogate of returning {said} \(.*test_validation\.py:\d+\)$"):
        prepare(QUADRATIC, Returning(change), 5)


@pytest.mark.parametrize("num_samples", [1, 2, 3])
def test_a_surrogate_for_each_sample_is_refused_at_any_number_of_samples(num_samples: int) -> None:
    with pytest.raises(ValueError, match="the surrogate of returning"):
        prepare(QUADRATIC, Returning(lambda costs: costs.mean(1)), num_samples)
    prepare(QUADRATIC, Returning(), num_samples)


@pytest.mark.parametrize("claim", ["Unbiased", None, True, ["unbiased"]])
def test_the_claim(claim: Any) -> None:
    with pytest.raises(ValueError, match=r"^the claim of returning must be 'unbiased' or 'biased', not"):
        prepare(QUADRATIC, Returning(claimed=claim), 1)


@pytest.mark.parametrize(("learns", "samples"), [(False, 4), (True, 1000)])
def test_the_check_of_an_estimator_is_one_small_draw_of_its_own(learns: bool, samples: int) -> None:
    """It draws few samples, unless what was learned depends on their number, and moves no noise that is measured."""
    drawn = []

    @dataclass(frozen=True)
    class Watched(Returning):
        def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Estimator:
            return replace(self) if learns else self

        def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
            drawn.append((num_samples, len(params["loc"])))
            return super().draw(problem, params, num_samples, source)

    work = prepare(QUADRATIC, Watched(), 1000)
    assert drawn == [(samples, 2)]
    assert torch.equal(work.noise(0), prepare(QUADRATIC, Returning(), 1000).noise(0))


@dataclass(frozen=True)
class Sound(Problem):
    name = "mine"

    def initial_params(self) -> Any:
        return {"loc": torch.ones(2).double()}

    def distribution(self, params: Params) -> Any:
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Any:
        return (x**2).sum(-1)


def wrong(method: str, returned: Callable[..., Any]) -> Problem:
    return type("Wrong", (Sound,), {method: returned})()


def unwrapped(self: Problem, params: Params) -> Distribution:
    return Normal(params["loc"], 1.0)


def fixed(self: Problem, params: Params) -> Distribution:
    return Independent(Normal(torch.ones(1, 2).double(), 1.0), 1)


PROBLEMS: dict[str, tuple[Problem, str]] = {
    "cost a sample": (wrong("cost", lambda self, x, params: (x**2).sum()), r"the cost of mine must be \[S, R\]"),
    "cost an entry": (wrong("cost", lambda self, x, params: x**2), r"the cost of mine must be .* not \[3, 2, 2\]"),
    "cost a replicate": (
        wrong("cost", lambda self, x, params: x.sum((0, 2))),
        r"the cost of mine must be .* not \[2\]",
    ),
    "cost nothing": (wrong("cost", lambda self, x, params: None), "the cost of mine must be .* not NoneType"),
    "no distribution": (
        wrong("distribution", lambda self, params: None),
        "the distribution of mine must be .* NoneType",
    ),
    "no Independent": (wrong("distribution", unwrapped), r"batch shape \(2, 2\).*wrap it in Independent"),
    "no replicates": (wrong("distribution", fixed), r"batch shape \(1,\) for 2 replicates"),
    "lists": (wrong("initial_params", lambda self: {"loc": [1.0, 2.0]}), "initial_params of mine must be a dict of"),
    "a list": (wrong("initial_params", lambda self: [torch.ones(2)]), "initial_params of mine must be a dict of"),
    "none": (wrong("initial_params", lambda self: {}), "mine has no parameters"),
    "nothing": (wrong("initial_params", lambda self: None), "initial_params of mine must be a dict .*, not None"),
}


@pytest.mark.parametrize("mistake", PROBLEMS)
def test_mistakes_in_a_problem(mistake: str) -> None:
    problem, said = PROBLEMS[mistake]
    with pytest.raises(ValueError, match=said) as refused:
        prepare(problem, Pathwise(), 2)
    assert str(refused.value).isprintable()
    prepare(Sound(), Pathwise(), 2)


EDITS = {
    "return (x**2).sum(-1)": ("return x**2", "the cost of silent must be [S, R]"),
    'return {"loc": torch.ones(2)}': ("return {}", "silent has no parameters"),
    'return Independent(Normal(params["loc"], 1.0), 1)': ("pass", "the distribution of silent must be"),
    "torch.ones(2)": ("[1.0, 2.0]", "initial_params of silent must be a dict of tensors"),
}


@pytest.mark.parametrize("edited", EDITS)
@pytest.mark.parametrize("arguments", [("rank",), ("check", "pathwise", "-p", "silent", "--plugin")], ids=str)
def test_the_command_line_refuses_such_a_problem(gradmark, tmp_path, edited, arguments):
    text, said = EDITS[edited]
    assert edited in PROBLEM
    file = tmp_path / "mine.py"
    file.write_text(HEAD + PROBLEM.replace(edited, text))
    code, out, err = gradmark(*arguments, str(file))
    assert code == 2 and said in err and err.count("\n") == 1 and not out


def no_entries(self: Problem, params: Params) -> Distribution:
    return Independent(Normal(params["loc"][:, :0], 1.0), 1)


def test_x_and_parameters_have_entries() -> None:
    with pytest.raises(
        ValueError, match=r"^x of mine has no entries: its event shape is \(0,\) \(.*test_validation.py:\d+\)$"
    ):
        prepare(wrong("distribution", no_entries), Pathwise(), 2)
    with pytest.raises(ValueError, match=r"^the parameters of mine have no entries: there is nothing to estimate$"):
        prepare(wrong("initial_params", lambda self: {"loc": torch.ones(0)}), Pathwise(), 2)


@pytest.mark.parametrize(
    "spec", ["pathwise", "finite-differences", "spsa", "score-function:control_variate=regression"]
)
def test_one_parameter_of_several_may_be_empty(spec: str) -> None:
    def beside(self: Problem) -> Params:
        return {"loc": torch.ones(2).double(), "none": torch.ones(0, 3).double()}

    work = prepare(wrong("initial_params", beside), make_estimator(spec), 2, dtype="float64")
    found = work.gradient(work.params(4), work.draw(work.source("some"), 4))
    assert found["none"].shape == (4, 0, 3) and found["loc"].isfinite().all()
