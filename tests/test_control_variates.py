"""Control variates: what they subtract, sample by sample, what they learn, and how much variance they leave."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from estimators.control_variates.lax import Lax
from estimators.control_variates.muprop import MuProp
from estimators.control_variates.regression import Regression
from estimators.interface import ControlVariate, Params, Problem, ScoredSamples, replicated
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from estimators.score_function import ScoreFunction
from experiments.gradients.prepare import prepare
from experiments.gradients.steps import Eager
from experiments.gradients.workload import Workload
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

COSINE = "gaussian-cosine:dim=1,k=2"


def workload(problem: str | Problem, control: ControlVariate | str, num_samples: int = 1) -> Workload:
    estimator = make_estimator(f"score-function:control_variate=({control})") if isinstance(control, str) else None
    made = make_problem(problem) if isinstance(problem, str) else problem
    return prepare(made, estimator or ScoreFunction(control), num_samples, dtype="float64")  # type: ignore[arg-type]


def measured(work: Workload, replicates: int = 200_000) -> Measurement:
    return estimate(work, find_reference(work), Stop(replicates=replicates))


def log_error(found: Measurement) -> float:
    return math.log(found.total_variance.high / found.total_variance.low) / 2 / 1.998


def single(problem: Problem, size: int, seed: int) -> tuple[Params, ScoredSamples]:
    """`size` independent samples as replicates of their own."""
    params = {
        name: value.expand(size, *value.shape).clone().requires_grad_()
        for name, value in problem.initial_params().items()
    }
    q = problem.distribution(params)
    with torch.no_grad():
        noise = families.noise(q, 1, IID(seed, dtype=torch.float64))
    return params, ScoredSamples.of(problem, params, families.drawn(q, noise), families.sample(q, noise))


def rows(term: Tensor, params: Params) -> np.ndarray:
    """The gradient of each replicate, `[R, P]`."""
    found = torch.autograd.grad(term.sum(), list(params.values()), retain_graph=True)
    return torch.cat([value.reshape(len(value), -1) for value in found], 1).numpy()


@pytest.mark.parametrize("control", ["taylor", "muprop"])
def test_regression_leaves_what_the_controls_do_not_explain(control: str) -> None:
    """Var = (1 − R²) Var of the plain estimate, R² by least squares on other samples; plain Taylor makes it worse."""
    problem = make_problem(COSINE)
    params, samples = single(problem, 200_000, 5)
    inner = make_estimator(f"score-function:control_variate={control}").control_variate  # type: ignore[attr-defined]
    gradient = rows(samples.direct + samples.cost * samples.score, params)
    controls = np.stack([rows(samples.score, params), rows(inner.term(samples), params)], -1)
    left = 0.0
    for index in range(gradient.shape[1]):
        design = np.column_stack([np.ones(len(gradient)), controls[:, index]])
        residual = gradient[:, index] - design @ np.linalg.lstsq(design, gradient[:, index])[0]
        left += residual.var()
    found = measured(workload(problem, Regression(inner)))
    # The learned coefficients are off by 1/sqrt(10,000), and the variance by the square of that.
    assert abs(math.log(found.total_variance.value / left)) < 4 * math.sqrt(2) * log_error(found) + 5e-3
    plain = measured(workload(problem, "none"))
    assert found.total_variance.high < plain.total_variance.low
    assert measured(workload(problem, "taylor")).total_variance.low > plain.total_variance.high


def test_regression_finds_the_perfect_control() -> None:
    """On a quadratic the expansion is the cost, and the coefficients are 0 and 1."""
    work = workload("gaussian-quadratic:dim=2", "regression")
    control = work.estimator.control_variate  # type: ignore[attr-defined]
    for name in work.point:
        coefficients = control._coefficients(name)
        torch.testing.assert_close(coefficients[..., 0], torch.zeros_like(coefficients[..., 0]), rtol=0, atol=1e-6)
        torch.testing.assert_close(coefficients[..., 1], torch.ones_like(coefficients[..., 1]), rtol=0, atol=1e-6)
    assert measured(work, 20_000).total_variance.value < 1e-9


def test_regression_follows_in_training() -> None:
    """Moving averages of the moments of earlier steps, each step after its use."""
    work = workload(COSINE, Regression(MuProp(), decay=0.75), 8)
    estimator = ScoreFunction(Regression(MuProp(), decay=0.75))
    params = work.params(3)
    first, second = (work.draw(work.source("step", index), 3) for index in (0, 1))
    learned = [
        estimator.update(work.problem, params, noise).control_variate.moments  # type: ignore[attr-defined]
        for noise in (first, second)
    ]
    both = estimator.update(work.problem, params, first).update(work.problem, params, second)
    for part in (0, 1):
        for name in work.point:
            wanted = 0.75 * learned[0][part][name] + 0.25 * learned[1][part][name]
            torch.testing.assert_close(both.control_variate.moments[part][name], wanted)  # type: ignore[attr-defined]


@pytest.mark.parametrize("control", ["leave-one-out", "lax", "regression"])
def test_regression_refuses_what_is_no_function_of_one_sample(control: str) -> None:
    with pytest.raises(ValueError, match="regression takes a control of one sample alone"):
        make_estimator(f"score-function:control_variate=(regression:control={control})")


@dataclass(frozen=True)
class Linear(Problem):
    """x ~ N(loc, exp(log_scale)²), f = 3 x₀ − x₁."""

    def initial_params(self) -> Params:
        return {"loc": torch.ones(2, dtype=torch.float64), "log_scale": torch.zeros(2, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return 3 * x[..., 0] - x[..., 1]

    def expected_cost(self, params: Params) -> Tensor:
        return 3 * params["loc"][:, 0] - params["loc"][:, 1]


def test_muprop_is_exact_on_a_linear_cost() -> None:
    found = measured(workload(Linear(), "muprop", 2), 20_000)
    assert found.total_variance.value < 1e-20
    np.testing.assert_allclose(found.mean["loc"], [3, -1])


def test_muprop_by_hand() -> None:
    """Bernoulli, f = mean (b − t)²: f − h = mean (b_d − p_d)² and ∇E[h] = 2 (p − t) p (1 − p) / D."""
    work = workload("bernoulli-toy:dim=3,logit=0.5,t=0.1", "muprop", 2)
    params = work.params(5)
    noise = work.draw(work.source("by hand"), 5)
    p = params["logits"].sigmoid()
    b = families.values(Independent(Bernoulli(p), 1), noise)
    residual = ((b - p) ** 2).mean(-1, keepdim=True)
    wanted = (residual * (b - p)).mean(0) + 2 * (p - 0.1) * p * (1 - p) / 3
    torch.testing.assert_close(work.gradient(params, noise)["logits"], wanted)


@dataclass(frozen=True)
class WithoutPath(ControlVariate):
    """The surrogate is subtracted, and its gradient is not added again."""

    network: dict[str, Tensor] | None = None

    def term(self, samples: ScoredSamples) -> Tensor:
        return Lax(network=self.network).term(replace(samples, path=samples.x))


def arbitrary(dimensions: int) -> dict[str, Tensor]:
    """A network that nobody has fitted."""
    source = IID(1, dtype=torch.float64)
    shapes = {"inner": (dimensions, 4), "bias": (4,), "outer": (4,), "linear": (dimensions,), "level": ()}
    drawn = {name: source.normal(shape) for name, shape in shapes.items()}
    drawn |= {"centre": drawn["linear"], "width": 1 + drawn["linear"] ** 2, "spread": torch.tensor(2.0).double()}
    return {name: value.reshape(1, *value.shape) for name, value in drawn.items()}


@pytest.mark.parametrize(("kind", "verdict"), [(Lax, False), (WithoutPath, True)])
def test_lax_is_unbiased_whatever_the_network(kind: type[Lax] | type[WithoutPath], verdict: bool) -> None:
    problem = make_problem("gaussian-quadratic:dim=2")
    work = workload(problem, "none", 2)
    given = Eager(problem, ScoreFunction(kind(network=arbitrary(2))), 2)
    assert (measured(replace(work, step=given)).verdict == "biased") == verdict


@pytest.mark.parametrize("problem", ["gaussian-step:dim=2,k=0.5", "gaussian-cosine:dim=2", "gamma-cost:dim=2"])
def test_lax_learns_to_reduce_the_variance(problem: str) -> None:
    """More than the optimal baseline does; where the cost has a jump, too."""
    found = measured(workload(problem, "lax"), 200_000)
    baseline = measured(workload(problem, "optimal-baseline"), 200_000)
    assert found.total_variance.high < baseline.total_variance.low
    assert found.verdict != "biased" and found.fitted


def test_lax_refuses_samples_that_are_not_differentiable() -> None:
    estimator = make_estimator("score-function:control_variate=lax")
    assert "Bernoulli" in (estimator.unsupported(make_problem("bernoulli-toy"), 1) or "")
    weighted = make_estimator("importance-weighted:base=(score-function:control_variate=lax)")
    assert "proposal" in (weighted.unsupported(make_problem("gaussian-quadratic"), 1) or "")


def test_what_is_learned_depends_on_the_fit_noise_alone() -> None:
    problem = make_problem("gaussian-cosine:dim=2")
    params = replicated(problem.initial_params(), 1)
    for control in (Lax(), Regression()):
        first, again, other = (control.fit(problem, params, 1, IID(seed, dtype=torch.float64)) for seed in (0, 0, 1))
        parts = [torch.cat([leaf.flatten() for leaf in leaves(fitted)]) for fitted in (first, again, other)]
        assert torch.equal(parts[0], parts[1]) and not torch.equal(parts[0], parts[2])


def leaves(fitted: ControlVariate) -> list[Tensor]:
    from torch.utils._pytree import tree_leaves

    return tree_leaves(fitted.network if isinstance(fitted, Lax) else fitted.moments)  # type: ignore[attr-defined]
