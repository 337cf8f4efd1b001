# pyright: reportCallIssue=false, reportArgumentType=false
"""Every problem's exact gradient against an oracle of another kind, and its expected cost against plain sampling."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from cases import PROBLEMS, problem
from expectations import exact, expected, scattered
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from estimators.interface import Params, Problem, replicated
from estimators.registry import components, make_problem

each_problem = pytest.mark.parametrize("spec", PROBLEMS)


def test_every_registered_problem_is_tested() -> None:
    assert {spec.partition(":")[0] for spec in PROBLEMS} == set(components("problem"))


@each_problem
def test_shapes(spec: str) -> None:
    made = problem(spec)
    params = scattered(made, 3)
    q = made.distribution(params)
    assert tuple(q.batch_shape) == (3,)
    x = q.sample((5,))
    assert made.cost(x, params).shape == (5, 3)
    assert expected(made, params).shape == (3,)
    gradient = exact(made, params)
    assert gradient.keys() == params.keys()
    for name, value in gradient.items():
        assert (value.shape, value.dtype) == (params[name].shape, torch.float64)
        assert value.isfinite().all() and not value.requires_grad
    assert all(value.dtype == torch.float64 for value in made.initial_params().values())


@each_problem
def test_replicates_do_not_meet(spec: str) -> None:
    made = problem(spec)
    params = scattered(made)
    together = exact(made, params)
    for row in range(2):
        alone = exact(made, {name: value[row : row + 1] for name, value in params.items()})
        for name, value in alone.items():
            torch.testing.assert_close(value[0], together[name][row], rtol=1e-12, atol=1e-12)


@each_problem
@pytest.mark.parametrize("seed", [None, 1])
def test_exact_gradient_is_the_slope_of_the_expected_cost(spec: str, seed: int | None) -> None:
    """Central differences along a random direction, at the initial parameters and elsewhere."""
    made = problem(spec)
    params = replicated(made.initial_params(), 1) if seed is None else scattered(made, 1, seed)
    generator = torch.Generator().manual_seed(7)
    direction = {
        name: torch.randn(value.shape, generator=generator, dtype=torch.float64) for name, value in params.items()
    }
    step = 1e-5
    up, down = ({name: params[name] + sign * step * direction[name] for name in params} for sign in (1, -1))
    slope = float(expected(made, up) - expected(made, down)) / (2 * step)
    along = sum(float((value * direction[name]).sum()) for name, value in exact(made, params).items())
    rounding = 1e-15 * float(expected(made, params).abs()) / step
    assert slope == pytest.approx(along, rel=1e-7, abs=100 * rounding + 1e-9)


@each_problem
def test_expected_cost_is_the_mean_of_sampled_costs(spec: str) -> None:
    """Sampled by torch itself, not by the suite's own transforms."""
    made = problem(spec)
    params = scattered(made, 1, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = made.distribution(params).sample((20_000 if getattr(made, "mapped", True) else 500,))
    cost = made.cost(x, params).squeeze(1)
    assert abs(float(cost.mean() - expected(made, params))) < 5 * float(cost.std()) / np.sqrt(len(cost))


@each_problem
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_moving_to_a_dtype(spec: str, dtype: torch.dtype) -> None:
    made = make_problem(spec)
    moved = made.to("cpu", dtype)
    assert type(moved) is type(made) and moved.spec == made.spec
    params = {name: value.to(dtype) for name, value in replicated(made.initial_params(), 2).items()}
    x = moved.distribution(params).sample((3,))
    assert moved.cost(x, params).dtype == dtype
    gradient = exact(moved, params)
    assert all(value.dtype == torch.float64 for value in gradient.values())
    again = exact(made, params)
    for name, value in gradient.items():
        torch.testing.assert_close(value, again[name], rtol=2e-6, atol=2e-6)


@each_problem
def test_support_lists_every_state_once(spec: str) -> None:
    made = problem(spec)
    params = scattered(made)
    states = made.support(params)
    if states is None:
        pytest.skip("its states are too many to list")
    probabilities = made.distribution(params).log_prob(states).exp()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(2, dtype=torch.float64))
    assert len(states[:, 0].unique(dim=0)) == len(states)
    enumerated = (probabilities * made.cost(states, params)).sum(0)
    torch.testing.assert_close(expected(made, params), enumerated)


@pytest.mark.parametrize("name", components("problem"))
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_option_that_is_no_number_is_refused(name: str, value: float) -> None:
    cls = components("problem")[name]
    numbers = [option.name for option in dataclasses.fields(cls) if isinstance(option.default, float)]  # type: ignore[arg-type]
    for option in numbers:
        with pytest.raises(ValueError, match=f"^{option} must be a finite number, not {value}$"):
            cls(**{option: value})


def test_an_unknown_choice_is_refused_where_no_spec_is_parsed() -> None:
    with pytest.raises(ValueError, match="unknown value of family: 'cauchy'"):
        components("problem")["log-parameterization"](family="cauchy")


@each_problem
def test_what_a_problem_says_of_its_cost(spec: str) -> None:
    """`differentiable`: no jump in x; `cost_depends_on_params`: it changes with the parameters at the same x."""
    made = problem(spec)
    params = scattered(made, 1)
    x = made.distribution(params).sample((200,))
    moved = scattered(made, 1, 1)  # logits that all move alike are the same
    changes = not torch.equal(made.cost(x, params), made.cost(x, moved))
    assert changes == made.cost_depends_on_params
    if made.distribution(params).has_rsample:
        leaf = x.requires_grad_()
        total = made.cost(leaf, params).sum()
        slope = torch.autograd.grad(total, leaf)[0].abs().sum() if total.requires_grad else torch.zeros(())
        assert bool(slope > 0) == made.differentiable


@dataclass(frozen=True)
class Constant(Problem):
    """A cost of which nothing depends on the second parameter, or on any."""

    uses_first: bool = False

    def initial_params(self) -> Params:
        return {"first": torch.ones(2, dtype=torch.float64), "second": torch.ones((), dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["first"], 1.0), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.sum(-1) if self.uses_first else torch.zeros_like(x[..., 0])

    def expected_cost(self, params: Params) -> Tensor:
        first = params["first"]
        return first.sum(-1) if self.uses_first else torch.zeros_like(first[:, 0])


@pytest.mark.parametrize("uses_first", [False, True])
def test_a_parameter_without_effect_has_gradient_zero(uses_first: bool) -> None:
    made = Constant(uses_first)
    gradient = exact(made, replicated(made.initial_params(), 3))
    assert torch.equal(gradient["first"], torch.full((3, 2), float(uses_first), dtype=torch.float64))
    assert torch.equal(gradient["second"], torch.zeros(3, dtype=torch.float64))


def test_a_problem_that_knows_nothing_has_no_exact_gradient() -> None:
    @dataclass(frozen=True)
    class Unknown(Constant):
        def expected_cost(self, params: Params) -> Tensor | None:  # type: ignore[override]
            return None

    assert Unknown().exact_gradient(replicated(Unknown().initial_params(), 1)) is None
