"""Models and guides of Pyro as programs: the same gradients as Pyro's, and a line for what a program cannot have."""

import pytest
import torch

pyro = pytest.importorskip("pyro")

import pyro_models as models  # noqa: E402
from pyro.infer import Trace_ELBO  # noqa: E402
from pyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal, AutoNormal  # noqa: E402
from torch import Tensor  # noqa: E402

from estimators import IID, Program, from_pyro, make_estimator  # noqa: E402
from experiments.gradients.prepare import prepare  # noqa: E402

REPLICATES, CALLS, PARTICLES = 2**11, 16, 2**9
SCORE = "score-function:control_variate=leave-one-out"
autoencoder = models.Autoencoder()
CASES = {
    "coin": (models.coin, models.coin_guide, models.FLIPS),
    "line": (models.line, models.line_guide, *models.HEIGHTS),
    "line, diagonal": (models.line, AutoDiagonalNormal(models.line), *models.HEIGHTS),
    "line, full": (models.line, AutoMultivariateNormal(models.line), *models.HEIGHTS),
    "line, one by one": (models.line, AutoNormal(models.line), *models.HEIGHTS),
    "autoencoder": (autoencoder.model, autoencoder.guide, models.IMAGES),
    "mixture": (models.mixture, models.mixture_guide, models.MIXED),
    "eight schools": (models.eight_schools, models.eight_schools_guide, *models.SCHOOLS),
}


@pytest.fixture(autouse=True)
def empty_store():
    """Each test has parameters of its own; Pyro leaves all argument checks on."""
    with pyro.get_param_store().scope():
        yield


def of_gradmark(problem: Program, spec: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The mean gradient of replicates, and its standard error."""
    work = prepare(problem, make_estimator(spec), 4, dtype="float64")
    found = work.gradient(work.params(REPLICATES), work.draw(IID(3, dtype=torch.float64), REPLICATES))
    return mean_and_error(found, REPLICATES)


def of_pyro(model, guide, data, elbo) -> dict[str, Tensor]:
    elbo.loss_and_grads(model, guide, *data)
    named = dict(pyro.get_param_store().named_parameters())
    found = {name.replace("$$$", "."): value.grad.double().clone() for name, value in named.items()}
    for value in named.values():
        value.grad = None
    return found


def pyro_often(model, guide, *data) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    elbo = Trace_ELBO(num_particles=PARTICLES, vectorize_particles=True, max_plate_nesting=1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        calls = [of_pyro(model, guide, data, elbo) for _ in range(CALLS)]
    return mean_and_error({name: torch.stack([call[name] for call in calls]) for name in calls[0]}, CALLS)


def mean_and_error(each: dict[str, Tensor], count: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return (
        {name: value.mean(0) for name, value in each.items()},
        {name: value.std(0) / count**0.5 for name, value in each.items()},
    )


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_pyro(case):
    problem = from_pyro(*CASES[case])
    theirs, their_error = pyro_often(*CASES[case])
    assert problem.initial_params().keys() == theirs.keys()
    for spec in [SCORE] if case == "mixture" else [SCORE, "pathwise"]:
        ours, error = of_gradmark(problem, spec)
        for name in theirs:
            both = (error[name] ** 2 + their_error[name] ** 2).sqrt()
            print(case, spec, name, (ours[name] - theirs[name]) / both, both / theirs[name].norm())
            assert ((ours[name] - theirs[name]).abs() < 5 * both + 1e-5).all(), name
