# pyright: reportArgumentType=false
"""A distribution taken apart in each run and put together for all: its densities are those of each run's own."""

import pytest
import torch
import torch.distributions as td
from sampled_families import FAMILIES
from torch import Tensor
from torch.distributions import transforms as tt
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical

from estimators.noise import IID
from estimators.programs import Program
from estimators.programs.apart import can_be_put_together, put_together, taken_apart
from estimators.programs.joint import Joint
from estimators.sampling import families
from estimators.sampling.distributions.logistic import Logistic
from estimators.sampling.family import registered_families
from estimators.sampling.own_sampler import Fallback
from estimators.sampling.unchecked import without_validation

REPLICATES = 3


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def transformed(a: Tensor, *transforms: tt.Transform, shape: tuple[int, ...] = (2,)) -> td.Distribution:
    return td.TransformedDistribution(td.Normal(torch.zeros(shape, dtype=torch.float64) + a, 1.0), list(transforms))


def full(a: Tensor) -> Tensor:
    """A covariance."""
    return torch.eye(3, dtype=torch.float64) + a**2


SEVERAL = {
    "Bernoulli": lambda a: td.Bernoulli(logits=a * numbers(1, -2, 0.5)),
    "Bernoulli of probs": lambda a: td.Bernoulli(a.sigmoid()),
    "Categorical": lambda a: td.Categorical(logits=a * numbers(1, -2, 0.5)),
    "Categorical of probs": lambda a: td.Categorical((a * numbers(1, -2, 0.5)).exp()),
    "OneHotCategorical": lambda a: td.OneHotCategorical(logits=a * numbers(1, -2, 0.5)),
    "OneHotCategoricals": lambda a: td.OneHotCategorical(logits=a * numbers(1, -2, 0.5).expand(2, 3)),
    "OneHotCategoricalStraightThrough": lambda a: td.OneHotCategoricalStraightThrough(logits=a * numbers(1, -2)),
    "Poisson": lambda a: td.Poisson(a.exp() * numbers(1, 2)),
    "Dirichlet": lambda a: td.Dirichlet(a.exp() * numbers(1, 2, 3)),
    "MultivariateNormal": lambda a: td.MultivariateNormal(a * numbers(1, 2, 3), full(a)),
    "MultivariateNormal of precision": lambda a: td.MultivariateNormal(a * numbers(1, 2, 3), precision_matrix=full(a)),
    "MultivariateNormal of scale": lambda a: td.MultivariateNormal(
        numbers(1, 2, 3), scale_tril=torch.linalg.cholesky(full(a))
    ),
    "RelaxedBernoulli": lambda a: td.RelaxedBernoulli(torch.tensor(0.7, dtype=torch.float64), logits=a * numbers(1, 2)),
    "RelaxedBernoulli by temperature": lambda a: td.RelaxedBernoulli(a.exp(), logits=numbers(1, 2)),
    "Logistic": lambda a: Logistic(a * numbers(1, 2), a.exp()),
    "Normals of a number and a vector": lambda a: td.Normal(a * numbers(1, 2), a.exp()),
    "Normals of constants": lambda a: td.Normal(a, 0.3),
    "Gammas": lambda a: td.Gamma(a.exp() * numbers(1, 2), 2.0),
    "Independent": lambda a: td.Independent(td.Normal(a * torch.ones(2, 3, dtype=torch.float64), a.exp()), 1),
    "Independent twice": lambda a: td.Independent(
        td.Independent(td.Laplace(a * numbers(1, 2).expand(2, 2), 1.0), 1), 1
    ),
    "affine of a number": lambda a: transformed(a, tt.AffineTransform(a, a.exp())),
    "affine of a vector": lambda a: transformed(a, tt.AffineTransform(a * numbers(1, 2), a.exp())),
    "affine below a vector": lambda a: transformed(a, tt.AffineTransform(a * numbers(1, 2), a.exp()), shape=(3, 2)),
    "affine of an event": lambda a: transformed(a, tt.AffineTransform(a * numbers(1, 2), 2.0, event_dim=1)),
    "composed": lambda a: transformed(a, tt.ComposeTransform([tt.AffineTransform(a, a.exp()), tt.SigmoidTransform()])),
    "powers": lambda a: transformed(a, tt.ExpTransform(), tt.PowerTransform(a.exp())),
    "stick-breaking": lambda a: transformed(a, tt.AffineTransform(a, a.exp()), tt.StickBreakingTransform()),
    "of an independent one": lambda a: td.TransformedDistribution(
        td.Independent(td.Normal(a * numbers(1, 2), 1.0), 1), [tt.AffineTransform(a * numbers(1, 3), a.exp())]
    ),
    "independent transforms": lambda a: transformed(
        a, tt.IndependentTransform(tt.AffineTransform(a * numbers(1, 2), a.exp()), 1)
    ),
    "mixture of vectors": lambda a: td.MixtureSameFamily(
        td.Categorical(logits=a * numbers(1, -1)),
        td.Independent(td.Normal(a * torch.ones(2, 3, dtype=torch.float64), a.exp() * numbers(1, 2).unsqueeze(-1)), 1),
    ),
    "mixtures": lambda a: td.MixtureSameFamily(
        td.Categorical(logits=a * numbers(1, -1).expand(3, 2)), td.Normal(a * numbers(1, 2), a.exp().expand(3, 2))
    ),
    "transformed mixture": lambda a: td.TransformedDistribution(
        td.MixtureSameFamily(td.Categorical(logits=a * numbers(1, -1)), td.Normal(a * numbers(1, 2), 1.0)),
        [tt.AffineTransform(a, a.exp())],
    ),
}
POINTS = numbers(-0.4, 0.3, 0.6)
CASES = {name: (make, POINTS.unsqueeze(1)) for name, make in SEVERAL.items()} | {
    f"{name}, one": (family.make, torch.stack([numbers(*family.point) * k for k in (1.0, 1.05, 1.1)]))
    for name, family in FAMILIES.items()
}


def together(make, points: Tensor) -> td.Distribution:
    """As a program makes it: of the tensors of mapped runs."""
    last = []

    def run(values: Tensor) -> list[Tensor]:
        last.append(make(*values.unbind()))
        return taken_apart(last[0])

    with without_validation():
        tensors = torch.func.vmap(run)(points)
    return put_together(last[0], tensors)


@pytest.mark.parametrize("name", CASES)
def test_densities_and_samples_are_those_of_each_run(name):
    make, points = CASES[name]
    q, own = together(make, points), [make(*row.unbind()) for row in points]
    assert can_be_put_together(own[0])
    assert q.batch_shape == (REPLICATES, *own[0].batch_shape) and q.event_shape == own[0].event_shape
    torch.manual_seed(0)
    x = torch.stack([each.sample((5,)) for each in own], 1)
    for density in (lambda q, x: q.log_prob(x), families.log_prob):
        wanted = torch.stack([density(each, x[:, r]) for r, each in enumerate(own)], 1)
        torch.testing.assert_close(density(q, x), wanted, rtol=1e-10, atol=1e-10)
    form = families.find(q)
    if isinstance(form, Fallback):
        return
    noise = families.noise(q, 4, IID(0, dtype=torch.float64))
    found = families.values(q, noise)
    for r, each in enumerate(own):
        alone = form.values(families.unwrap(each), noise[:, r])
        torch.testing.assert_close(found[:, r], alone, rtol=1e-9, atol=1e-9)


def relaxed_classes(temperature: Tensor) -> td.Distribution:
    """torch takes one temperature for the whole batch."""
    return td.RelaxedOneHotCategorical(temperature, logits=numbers(0.5, -0.4, 0.1))


class Relaxed(Program):
    def initial_params(self):
        return {"temperature": torch.tensor(0.7)}

    def run(self, params, sample):
        return (sample("x", relaxed_classes(params["temperature"])) * numbers(1, 2, 3)).sum()


def test_a_distribution_that_mistakes_the_axis_of_runs_is_that_of_a_joint_of_one():
    of_one_covariance = td.MultivariateNormal(torch.zeros(2, 3, dtype=torch.float64), full(numbers(0.7)))
    assert not can_be_put_together(td.Independent(of_one_covariance, 1))
    assert not can_be_put_together(relaxed_classes(numbers(0.7)[0]))
    made, temperatures = Relaxed(), numbers(0.5, 0.8)
    q = made.distribution({"temperature": temperatures})
    assert isinstance(q, Joint) and made.layout.names == ["x"]
    x = families.values(q, families.noise(q, 5, IID(0, dtype=torch.float64)))
    found = families.log_prob(q, x)
    for r, temperature in enumerate(temperatures):
        alone = relaxed_classes(temperature).log_prob(x[:, r])
        torch.testing.assert_close(found[:, r], alone, rtol=1e-10, atol=1e-10)


def test_every_family_is_taken_apart():
    made = {type(families.unwrap(make(*points[0].unbind()))) for make, points in CASES.values()}
    of_one_temperature = {ExpRelaxedCategorical, td.RelaxedOneHotCategorical}
    assert made >= registered_families().keys() - {Joint, *of_one_temperature}


def test_what_a_transform_has_seen_last_is_no_part_of_a_distribution():
    """A transform with a cache, as policies that are squashed have, holds the values of its last call."""
    loc = torch.randn(3, dtype=torch.float64)
    q = td.TransformedDistribution(td.Normal(loc, 1.0), [td.TanhTransform(cache_size=1)])
    before = taken_apart(q)
    x = q.rsample((2,))
    assert [id(one) for one in taken_apart(q)] == [id(one) for one in before]
    found = put_together(q, [one.expand(4, *one.shape) for one in before])
    torch.testing.assert_close(found.log_prob(x.unsqueeze(1)), q.log_prob(x).unsqueeze(1).expand(2, 4, 3))
