"""Control variates of pathwise: of no expected gradient whatever they have learned, and exact on quadratics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from moving_costs import MovingTarget
from torch import Tensor

from estimators.interface import Estimator, LatentVariableProblem, Params, PathControl, PathSamples, Problem, replicated
from estimators.learning.state import learned_state, with_learned_state
from estimators.noise import IID
from estimators.path_controls.linearized import Linearized
from estimators.path_controls.quadratic import Quadratic
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.sweep import Stop

DIAGONAL, FULL = "pathwise:control_variate=quadratic", "pathwise:control_variate=(quadratic:curvature=full)"
TAYLOR, PRODUCTS = "pathwise:control_variate=linearized", "pathwise:control_variate=(linearized:curvature=products)"
ROUNDING = 1e-9
SMOOTH = "gaussian-exponential:dim=2,k=0.3"
COUPLED = "gaussian-full-covariance:dim=2"
LATENT = "linear-gaussian:dim=2,perturbation=1,points=2"


def gradients(problem: Problem, estimator: Estimator, params: Params, num_samples: int, count: int) -> Params:
    rows = replicated(params, count)
    with torch.no_grad():
        noise = estimator.draw(problem, rows, num_samples, IID(7, dtype=torch.float64))
    return estimator.gradient(problem, rows, noise)


def spread(problem: Problem, estimator: Estimator, num_samples: int = 4, params: Params | None = None) -> float:
    """The total variance over 1,000 replicates."""
    found = gradients(problem, estimator, params or problem.initial_params(), num_samples, 1_000)
    return sum(float(value.var(0).sum()) for value in found.values())


@pytest.mark.parametrize("num_samples", [1, 4])
@pytest.mark.parametrize(
    ("problem", "specs"),
    {
        "gaussian-quadratic:dim=3,k=0.5,log_scale=0.3": [DIAGONAL, FULL, TAYLOR],
        "gaussian-full-covariance:dim=3": [FULL, TAYLOR],
        "linear-gaussian:dim=3,points=2,perturbation=1": [DIAGONAL, FULL, TAYLOR, PRODUCTS],
    }.items(),
)
def test_on_a_quadratic_each_estimate_is_the_gradient(problem: str, specs: list[str], num_samples: int) -> None:
    """Of the parameters of q: the prior mean of the linear Gaussian model keeps its noise."""
    for spec in specs:
        work = prepare(make_problem(problem), make_estimator(spec), num_samples, dtype="float64")
        found = work.gradient(work.params(20), work.draw(IID(1, dtype=torch.float64), 20))
        exact = work.problem.exact_gradient(replicated(work.point, 1))
        assert exact is not None
        for name in exact.keys() - {"prior_mean"}:
            torch.testing.assert_close(found[name], exact[name].expand_as(found[name]), rtol=ROUNDING, atol=ROUNDING)


def grid(dim: int) -> tuple[Tensor, Tensor]:
    """Standard normal noise `[S, 1, D]` and its weights, by which means of polynomials up to degree 11 are exact."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(6)
    each, odds = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    places = torch.cartesian_prod(*[torch.arange(6)] * dim).reshape(-1, 1, dim)
    return each[places], odds[places].prod(-1).squeeze(1)


def any_quadratic(problem: Problem, curvature: str) -> Quadratic:
    """With coefficients that nobody has learned."""
    source, shape = IID(9, dtype=torch.float64), (1, *problem.initial_distribution.event_shape)
    blocks = shape if curvature == "full" else (*shape, 1)
    matrix = source.normal((*blocks, blocks[-1]))
    return Quadratic(curvature, slope=source.normal(blocks), matrix=matrix + matrix.mT)  # type: ignore[arg-type]


@pytest.mark.parametrize("control", ["diagonal", "full", Linearized(), Linearized("products")], ids=str)
@pytest.mark.parametrize("problem", [SMOOTH, COUPLED, MovingTarget(), "linear-gaussian:dim=1,points=2"], ids=str)
def test_its_expected_gradient_is_zero_whatever_was_learned(problem: str | Problem, control: str | PathControl) -> None:
    """By quadrature, which is exact for the gradient of a quadratic."""
    made = make_problem(problem) if isinstance(problem, str) else problem
    if isinstance(control, str):
        control = any_quadratic(made, control)
    q = made.initial_distribution
    noise, weights = grid(q.event_shape.numel())
    params = {name: value.unsqueeze(0).requires_grad_() for name, value in made.initial_params().items()}
    q = made.distribution(params)
    x = families.sample(q, noise.reshape(-1, 1, *q.event_shape))
    term = control.term(PathSamples(made, params, q, x))
    assert (term == 0).all()
    parts = torch.autograd.grad(term[0, 0], list(params.values()), retain_graph=True, materialize_grads=True)
    assert any((part.abs() > 1e-3).any() for part in parts), "each sample has a gradient"
    for slope in torch.autograd.grad(weights @ term.squeeze(1), list(params.values()), materialize_grads=True):
        assert slope.abs().max() < ROUNDING


def test_under_importance_weights_it_adds_no_bias() -> None:
    for spec in (DIAGONAL, TAYLOR):
        weighted = make_estimator(f"importance-weighted:base=({spec}),proposal=defensive")
        work = prepare(make_problem(SMOOTH), weighted, 4)
        found = estimate(work, find_reference(work), Stop(replicates=20_000))
        assert found.verdict != "biased" and found.detectable_bias is not None and found.detectable_bias < 0.1


@pytest.mark.parametrize("spec", [DIAGONAL, FULL])
def test_what_is_fitted_never_has_more_variance_than_pathwise(spec: str) -> None:
    """Also where the slopes alone would mislead: a fit of the slopes had 1.3 times the variance here."""
    problem = make_problem("gaussian-exponential:dim=2")
    fitted = prepare(problem, make_estimator(spec), 4, dtype="float64").estimator
    assert spread(problem, fitted) < 0.9 * spread(problem, Pathwise())


@pytest.mark.parametrize(("spec", "most"), [(DIAGONAL, 0.6), (FULL, 0.03), (TAYLOR, 0.65), (PRODUCTS, 0.65)])
def test_the_variance_that_is_left_of_logistic_regression(spec: str, most: float) -> None:
    problem = make_problem("logistic-regression")
    fitted = prepare(problem, make_estimator(spec), 4, dtype="float64").estimator
    assert spread(problem, fitted) < most * spread(problem, Pathwise())


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "most"), [(DIAGONAL, 350), (FULL, 220), (TAYLOR, 360), ("path-derivative", 480)])
def test_the_noise_of_an_encoder_after_training(spec: str, most: float) -> None:
    """Against 3,800 of pathwise."""
    problem = make_problem("digits-vae:steps=500")
    fitted = prepare(problem, make_estimator(spec), 8, dtype="float64").estimator
    found = gradients(problem, fitted, problem.initial_params(), 8, 400)
    assert sum(float(found[name].var(0).sum()) for name in type(problem).encoder) < most  # type: ignore[attr-defined]


def trained(spec: str, problem: Problem, num_samples: int, steps: int) -> tuple[list[Estimator], Params]:
    """The estimator after each step of a loop, and the parameters at its end."""
    found, source = [make_estimator(spec)], IID(3, dtype=torch.float64)
    params = {name: value.clone().requires_grad_() for name, value in problem.initial_params().items()}
    optimiser = torch.optim.Adam(params.values(), lr=0.003)
    for _ in range(steps):
        optimiser.zero_grad()
        loss, estimator = found[-1].step(problem, params, num_samples, source)
        loss.backward()
        optimiser.step()
        found.append(estimator)
    return found, {name: value.detach() for name, value in params.items()}


@pytest.mark.parametrize("spec", [DIAGONAL, FULL])
def test_a_loop_learns_what_a_fit_finds(spec: str) -> None:
    problem = make_problem(LATENT)
    found, params = trained(spec, problem, 2, 60)
    plain = spread(problem, Pathwise(), 2, params)
    assert found[0].unlearned and spread(problem, found[0], 2, params) == plain
    few = [spread(problem, one, 2, params) / plain for one in found[1:4]]
    assert max(few) < 1.6, "what few samples show is not taken for all"
    model = spread(problem, make_estimator(TAYLOR), 2, params)
    assert spread(problem, found[-1], 2, params) - model < 0.01 * (plain - model)
    saved = with_learned_state(make_estimator(spec), learned_state(found[-1]))
    assert spread(problem, saved, 2, params) == spread(problem, found[-1], 2, params)


@pytest.mark.parametrize("spec", [DIAGONAL, FULL])
def test_what_was_fitted_on_all_data_serves_batches_of_any_size(spec: str) -> None:
    """One curvature, one slope: no noise is left in the gradients of q but for what the learning shrinks them by."""
    problem = make_problem("linear-gaussian:dim=2,perturbation=1,points=6")
    assert isinstance(problem, LatentVariableProblem)
    problem = problem.conditioned(problem.observation[:1].repeat(6, 1), 1.0)
    params = problem.initial_params()
    fitted = prepare(problem, make_estimator(spec), 4, dtype="float64").estimator
    for chosen in ([4, 1, 3], [2]):
        part = problem.batch(torch.tensor([chosen]))
        _, learning = fitted.step(part, params, 4, IID(2, dtype=torch.float64))
        for name in ("weight", "bias"):
            plain, before, after = (
                gradients(part, one, params, 4, 100)[name].std(0).max() for one in (Pathwise(), fitted, learning)
            )
            assert before < ROUNDING and after < 0.01 * plain


def test_replicates_learn_apart() -> None:
    problem = make_problem(LATENT)
    shift = torch.linspace(0, 0.2, 3, dtype=torch.float64)
    params = {name: value + shift.reshape(-1, *[1] * value.ndim) for name, value in problem.initial_params().items()}
    own = {name: value[2:] for name, value in params.items()}
    together = alone = make_estimator(FULL)
    for step in range(3):
        noise = together.draw(problem, params, 2, IID(step, dtype=torch.float64))
        together, alone = together.update(problem, params, noise), alone.update(problem, own, noise[:, 2:])
    wanted = together.gradient(problem, params, noise)
    for name, value in alone.gradient(problem, own, noise[:, 2:]).items():
        torch.testing.assert_close(value[0], wanted[name][2])


def test_ten_thousand_coordinates() -> None:
    problem = make_problem("gaussian-quadratic:dim=10000")
    fitted = make_estimator(DIAGONAL).fit(
        problem, replicated(problem.initial_params(), 1), 1, IID(0, dtype=torch.float64)
    )
    found = gradients(problem, fitted, problem.initial_params(), 1, 2)
    torch.testing.assert_close(found["loc"], torch.full_like(found["loc"], 2.0))
    for spec, told in (
        (FULL, "to 64 coordinates, not 10000: use curvature=diagonal"),
        (TAYLOR, "use curvature=products"),
    ):
        assert (make_estimator(spec).unsupported(problem, 1) or "").endswith(told)
    assert make_estimator(PRODUCTS).unsupported(problem, 1) is None


@pytest.mark.parametrize("spec", [DIAGONAL, TAYLOR])
def test_other_distributions_are_refused(spec: str) -> None:
    name = make_estimator(spec).control_variate.name  # type: ignore[attr-defined]
    for problem, family in (("gamma-cost", "Gamma"), ("student-t-cost", "StudentT"), ("lognormal-cost", "LogNormal")):
        reason = make_estimator(spec).unsupported(make_problem(problem), 4)
        assert reason == f"{name} needs a Gaussian distribution, not {family}"


def test_forms_of_pathwise_with_a_control_variate_stay_apart_from_those_without() -> None:
    quadratic = make_estimator(DIAGONAL)
    assert isinstance(quadratic, Pathwise) and quadratic != Pathwise()
    assert replace(quadratic, control_variate=None) == Pathwise()
