"""Local signals: against the base on each data point alone, and refused where they would be wrong."""

from dataclasses import dataclass

import pytest
import torch
import torch.distributions as td
from cases import problem
from torch import Tensor
from torch.utils._pytree import tree_map

from estimators.interface import Estimator, LatentVariableProblem, Noise, Params, Problem, Traits
from estimators.noise import IID
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from estimators.sampling.distributions.truncated_normal import TruncatedNormal
from estimators.sampling.families import unwrap
from estimators.wrappers.data_points import Flattened, flattened
from estimators.wrappers.per_data_point import PerDataPoint
from estimators.wrappers.stratified import Stratified
from experiments.measuring.loop import measure

pytestmark = pytest.mark.usefixtures("short_fits", "small_chunks")

SBN = "digits-sbn:latent=2,points={}"
GAUSSIAN = "linear-gaussian:dim=2,perturbation=1,points={}"
LOO = "score-function:control_variate=leave-one-out"
DISCRETE = ["disarm", "arm", "arms", "gumbel-softmax", "straight-through", "rao-blackwellized-gumbel-softmax"]
DISCRETE += ["rao-blackwellized", "unordered-set", "sum-and-sample", "reinforce-without-replacement", "rebar"]
ANY = ["score-function", LOO, "score-function:control_variate=muprop", "measure-valued"]
CONTINUOUS = ["pathwise", "stratified:scheme=sobol", "importance-weighted:proposal=defensive"]
PAIRS = [(SBN, base) for base in DISCRETE + ANY] + [
    (GAUSSIAN, base) for base in [*ANY, *CONTINUOUS, "score-function:control_variate=taylor"]
]


def wrapped(base: str) -> Estimator:
    return make_estimator(f"per-data-point:base=({base})")


def latent(spec: str) -> LatentVariableProblem:
    found = make_problem(spec)
    assert isinstance(found, LatentVariableProblem)
    return found


def scattered(made: Problem, replicates: int) -> Params:
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + 0.1 * torch.randn(replicates, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in made.initial_params().items()
    }


def close(found: Params, wanted: Params) -> None:
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("spec", "base"), PAIRS)
def test_one_data_point_is_the_base(spec: str, base: str) -> None:
    made = latent(spec.format(1))
    params, found, plain = scattered(made, 3), wrapped(base), make_estimator(base)
    assert found.unsupported(made, 4) is None
    noise = plain.draw(made, params, 4, IID(0, dtype=torch.float64))
    own = found.draw(made, params, 4, IID(0, dtype=torch.float64))
    torch.testing.assert_close(found.surrogate(made, params, own), plain.surrogate(made, params, noise))
    close(found.gradient(made, params, own), plain.gradient(made, params, noise))
    assert found.evaluations(made, 4) == plain.evaluations(made, 4)


@pytest.mark.parametrize(("spec", "base"), PAIRS)
def test_it_is_the_sum_of_the_base_on_each_data_point_alone(spec: str, base: str) -> None:
    """As R·N replicates with parameters and one data point of their own."""
    made, found, plain = latent(spec.format(3)), wrapped(base), make_estimator(base)
    params = scattered(made, 2)
    copies = {name: value.repeat_interleave(3, 0) for name, value in params.items()}
    alone = made.conditioned(made.observation.repeat(2, 1).unsqueeze(1), 1.0)
    noise = found.draw(made, params, 4, IID(0, dtype=torch.float64))
    together, apart = (
        found.gradient(made, params, noise),
        plain.gradient(alone, copies, _with_data_axis(noise, plain, alone, copies)),
    )
    close(together, {name: value.unflatten(0, (2, 3)).sum(1) for name, value in apart.items()})


def _with_data_axis(noise: Noise, plain: Estimator, alone: Problem, copies: Params) -> Noise:
    """The same numbers in the shapes that the base draws for `[R, 1, D]`."""
    like = plain.draw(alone, copies, 4, IID(0, dtype=torch.float64))
    return tree_map(lambda leaf, shape: leaf.reshape(shape.shape), noise, like)


@pytest.mark.parametrize(("spec", "base"), [(SBN, LOO), (SBN, "disarm"), (GAUSSIAN, LOO)])
def test_replicates_have_batches_of_their_own(spec: str, base: str) -> None:
    made, found = latent(spec.format(3)), wrapped(base)
    params, indices = scattered(made, 5), torch.tensor([[0, 1], [1, 2], [2, 0], [0, 0], [1, 1]])
    noise = found.draw(made.batch(indices), params, 4, IID(0, dtype=torch.float64))
    together = found.gradient(made.batch(indices), params, noise)
    for row in range(5):
        own = {name: value[row : row + 1] for name, value in params.items()}
        alone = found.gradient(made.batch(indices[row : row + 1]), own, noise[:, 2 * row : 2 * row + 2])
        close({name: value[row : row + 1] for name, value in together.items()}, alone)
    assert found.unsupported(made.batch(indices), 4) is None


def test_two_layers_take_the_score_function() -> None:
    made = latent("digits-sbn:latent=1,layers=2,points=2")
    assert wrapped(LOO).unsupported(made, 4) is None
    assert "Joint" in (wrapped("disarm").unsupported(made, 4) or "")


@pytest.mark.parametrize("spec", [pytest.param(SBN.format(8), marks=pytest.mark.slow), GAUSSIAN.format(8)])
@pytest.mark.parametrize("base", ["score-function", LOO])
def test_the_noise_of_the_other_data_points_is_gone(spec: str, base: str) -> None:
    made = make_problem(spec)
    plain, local = (measure(made, one, 4, replicates=4_000, seed=0) for one in (make_estimator(base), wrapped(base)))
    assert local.total_variance.high < plain.total_variance.low / 4
    assert plain.verdict != "biased" and local.verdict != "biased"


@pytest.mark.parametrize(
    "base",
    [
        "finite-differences:common_noise=false",
        "spsa",
        "evolution-strategies:antithetic=false",
        "score-function:control_variate=moving-average",
        "score-function:control_variate=optimal-baseline",
        "score-function:control_variate=regression",
        "exact",
        "vimco",
        "iwae",
        "per-data-point",
    ],
)
def test_what_needs_parameters_for_each_cost_is_refused(base: str) -> None:
    reason = wrapped(base).unsupported(latent(GAUSSIAN.format(2)), 4)
    assert reason is not None and len(reason.split()) > 4


def test_other_problems_are_refused() -> None:
    assert "latent-variable" in (PerDataPoint().unsupported(problem("gaussian-quadratic:dim=2"), 4) or "")


@dataclass(frozen=True)
class Weighed(Estimator):
    """Weighs each cost by a function of its parameters, of which there would have to be as many, and says so."""

    @property
    def traits(self) -> Traits:
        return Traits(own_parameters=True)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise) * params["bias"].sum(1)


def test_a_base_that_declares_parameters_for_each_cost_is_refused() -> None:
    made = latent(GAUSSIAN.format(2))
    assert PerDataPoint(Pathwise()).unsupported(made, 4) is None
    for base in (Weighed(), Stratified(Weighed())):
        assert "parameters of its own" in (PerDataPoint(base).unsupported(made, 4) or "")


def positive(*shape: int) -> Tensor:
    return torch.rand(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.2


FAMILIES = {
    "normal": td.Normal(positive(), positive()),
    "normal with one scale": td.Independent(td.Normal(positive(4), 0.5), 1),
    "student-t": td.StudentT(3.0, positive(), positive()),
    "gamma": td.Gamma(positive(), positive()),
    "dirichlet": td.Dirichlet(positive(4)),
    "truncated": TruncatedNormal(positive(), positive(), -1.0, 2.0),
    "multivariate": td.MultivariateNormal(positive(2), scale_tril=torch.eye(2).double() * positive(1, 1)),
    "bernoulli of probabilities": td.Independent(td.Bernoulli(probs=positive(4) / 2), 1),
    "one-hot": td.Independent(td.OneHotCategorical(logits=positive(4, 5)), 1),
    "categorical": td.Categorical(logits=positive(5)),
    "poisson": td.Poisson(positive()),
    "mixture": td.MixtureSameFamily(td.Categorical(logits=positive(5)), td.Normal(positive(5), positive(5))),
    "log-normal": td.LogNormal(positive(), positive()),
    "cauchy": td.Independent(td.Cauchy(positive(4), positive(4)), 1),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_flattened_distribution_is_the_same(name: str) -> None:
    q = FAMILIES[name]
    flat = flattened(q)
    assert flat.batch_shape == (6,) and flat.event_shape == q.event_shape
    assert isinstance(unwrap(flat), Flattened) == (name in ("mixture", "cauchy"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = q.sample((5,))
        torch.manual_seed(0)
        torch.testing.assert_close(flat.sample((5,)), x.flatten(1, 2))
    torch.testing.assert_close(flat.log_prob(x.flatten(1, 2)), q.log_prob(x).flatten(1, 2))
