"""Models and guides of Pyro as programs: gradients are those that Pyro has."""

import pytest
import torch

pyro = pytest.importorskip("pyro")

import pyro_models as models  # noqa: E402
from pyro.infer import Trace_ELBO, TraceEnum_ELBO  # noqa: E402
from pyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal, AutoNormal  # noqa: E402
from torch import Tensor  # noqa: E402

from estimators import IID, Program, from_pyro, make_estimator, replicated  # noqa: E402
from experiments.gradients.prepare import prepare  # noqa: E402

REPLICATES, CALLS, PARTICLES = 2**12, 16, 2**11
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
SPECS = [LEAVE_ONE_OUT, f"{LEAVE_ONE_OUT},credit=total", "pathwise"]
ROUNDING = 1e-5
"""Pyro computes in float32."""
POWER = {SPECS[0]: 0.15, SPECS[1]: 0.15, "pathwise": 0.04}
"""The standard error of the whole difference, relative to the gradient: a missing term is far larger."""
autoencoder, module = models.Autoencoder(), models.Line()
CASES = {
    "coin": (models.coin, models.coin_guide, models.FLIPS),
    "line": (models.line, models.line_guide, *models.HEIGHTS),
    "line, diagonal": (models.line, AutoDiagonalNormal(models.line), *models.HEIGHTS),
    "line, full": (models.line, AutoMultivariateNormal(models.line), *models.HEIGHTS),
    "line, one by one": (models.line, AutoNormal(models.line), *models.HEIGHTS),
    "autoencoder": (autoencoder.model, autoencoder.guide, models.IMAGES),
    "eight schools": (models.eight_schools, models.eight_schools_guide, *models.SCHOOLS),
    "module": (module, AutoNormal(module), *models.HEIGHTS),
    "turned round": (models.turned_round, models.turned_round_guide, models.FLIPS),
}

Both = tuple[Tensor, Tensor]


@pytest.fixture(autouse=True)
def own_store():
    """Each test has a store of parameters of its own."""
    with pyro.get_param_store().scope():
        yield


def of_gradmark(problem: Program, spec: str) -> Both:
    """The mean gradient of replicates, and its standard error."""
    work = prepare(problem, make_estimator(spec), 4, dtype="float64")
    found = work.gradient(work.params(REPLICATES), work.draw(IID(3, dtype=torch.float64), REPLICATES))
    return mean_and_error(together(found, problem))


def of_pyro(problem: Program, elbo, model, guide, *data) -> Tensor:
    """One gradient, in the order of the problem's parameters."""
    elbo.loss_and_grads(model, guide, *data)
    named = {name.replace("$$$", "."): value for name, value in pyro.get_param_store().named_parameters()}
    assert named.keys() == problem.initial_params().keys()
    found = {name: value.grad.double().unsqueeze(0).clone() for name, value in named.items()}
    for value in named.values():
        value.grad = None
    return together(found, problem)


def together(found: dict[str, Tensor], problem: Program) -> Tensor:
    return torch.cat([found[name].reshape(len(found[name]), -1) for name in problem.initial_params()], 1)


def mean_and_error(each: Tensor) -> Both:
    return each.mean(0), each.std(0) / len(each) ** 0.5


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_pyro(case):
    problem = from_pyro(*CASES[case])
    elbo = Trace_ELBO(num_particles=PARTICLES, vectorize_particles=True, max_plate_nesting=1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs, their_error = mean_and_error(torch.cat([of_pyro(problem, elbo, *CASES[case]) for _ in range(CALLS)]))
    for spec in SPECS:
        ours, error = of_gradmark(problem, spec)
        both = (error**2 + their_error**2).sqrt()
        assert both.norm() < POWER[spec] * theirs.norm()
        assert ((ours - theirs).abs() < 5 * both + ROUNDING * theirs.norm()).all(), spec


def test_the_gradient_of_a_discrete_model_is_exactly_that_of_pyro():
    case = models.mixture, models.mixture_guide, models.MIXED
    problem = from_pyro(*case)
    (theirs,) = of_pyro(problem, TraceEnum_ELBO(max_plate_nesting=1), *case)
    exact = problem.exact_gradient(replicated(problem.initial_params(), 1))
    assert exact is not None
    torch.testing.assert_close(together(exact, problem)[0], theirs, rtol=ROUNDING, atol=ROUNDING)
    ours, error = of_gradmark(problem, LEAVE_ONE_OUT)
    assert ((ours - theirs).abs() < 5 * error).all()


def test_a_cost_is_credited_to_the_variables_that_it_depends_on():
    assert from_pyro(*CASES["line"]).layout.before == (1, 2, 3)
    assert from_pyro(*CASES["turned round"]).layout.before == (1, 2)


def test_scales_and_masks_are_those_of_the_sites():
    plain = from_pyro(models.coin, models.coin_guide, models.FLIPS)
    weighed = from_pyro(models.weighed_coin, models.coin_guide, models.FLIPS)
    x = torch.full((1, 1), 0.3, dtype=torch.float64)
    params = replicated(plain.initial_params(), 1)
    prior = torch.distributions.Beta(10.0, 10.0).log_prob(x)
    heads = torch.distributions.Bernoulli(x).log_prob(torch.ones(()))
    without = plain.to("cpu", torch.float64).cost(x, params) + prior + 6 * heads + 4 * (0.7 * torch.ones(())).log()
    expected = without - prior - 2.5 * 6 * heads
    torch.testing.assert_close(weighed.to("cpu", torch.float64).cost(x, params), expected, rtol=1e-6, atol=0)


def test_training_in_pyro_is_gone_on_from_and_left_alone():
    store = pyro.get_param_store()
    with torch.no_grad():
        models.coin_guide(models.FLIPS)
        store["alpha"] = torch.tensor(7.0)
    before = torch.get_default_dtype(), torch.distributions.Distribution._validate_args, torch.random.get_rng_state()
    problem = from_pyro(models.coin, models.coin_guide, models.FLIPS)
    assert problem.initial_params()["alpha"].exp().item() == pytest.approx(7.0)
    of_gradmark(problem, "pathwise")
    assert sorted(store.keys()) == ["alpha", "beta"] and store["alpha"].item() == pytest.approx(7.0)
    after = torch.get_default_dtype(), torch.distributions.Distribution._validate_args, torch.random.get_rng_state()
    assert before[:2] == after[:2] and torch.equal(before[2], after[2])


def test_modules_keep_their_parameters():
    before = [value.clone() for value in autoencoder.parameters()]
    of_gradmark(from_pyro(*CASES["autoencoder"]), "pathwise")
    assert all(map(torch.equal, before, autoencoder.parameters()))
