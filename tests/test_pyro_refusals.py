"""What a program cannot have of Pyro: each in one line that says what to write instead."""

import pytest
import torch

pyro = pytest.importorskip("pyro")

import pyro.distributions as dist  # noqa: E402
import pyro_models as models  # noqa: E402
from pyro import poutine  # noqa: E402
from pyro.infer import config_enumerate  # noqa: E402
from pyro.infer.autoguide import AutoDelta  # noqa: E402

from estimators import from_pyro  # noqa: E402
from estimators.pyro.plain import plain  # noqa: E402
from estimators.sampling.family import known_kind, registered_families  # noqa: E402


@pytest.fixture(autouse=True)
def own_store():
    """Each test has a store of parameters of its own."""
    with pyro.get_param_store().scope():
        yield


def z(value=0.0):
    return pyro.sample("z", dist.Normal(value, 1.0))


def loc():
    return pyro.param("loc", torch.tensor(0.3))


def guide():
    z(loc())


def part_of_the_data():
    with pyro.plate("data", 10, subsample_size=4) as chosen:
        pyro.sample("x", dist.Normal(z(), 1.0), obs=torch.zeros(10)[chosen])


def chosen_data():
    with pyro.plate("data", 10, subsample=torch.arange(4)):
        pyro.sample("x", dist.Normal(z(), 1.0), obs=torch.zeros(4))


def summed_out():
    z()
    pyro.sample("which", dist.Bernoulli(0.5), infer={"enumerate": "parallel"})


def two():
    z()
    pyro.sample("other", dist.Normal(0.0, 1.0))


def guide_of_two():
    guide()
    pyro.sample("other", dist.Normal(0.0, 1.0))


def guide_with_factor():
    guide()
    pyro.factor("more", loc(), has_rsample=True)


def guide_with_data():
    guide()
    pyro.sample("x", dist.Normal(loc(), 1.0), obs=torch.zeros(()))


def three_alike():
    pyro.sample("z", dist.Normal(torch.zeros(3), 1.0).to_event(1))


def guide_that_reads_the_store():
    loc()
    z(pyro.get_param_store()["loc"])


def guide_by_value():
    z(loc()) if loc() > 0 else z(-loc())


def guide_without_noise():
    pyro.sample("z", dist.Stable(1.5, 0.0, loc().exp(), loc()))


REFUSED = {
    "subsample_size": (part_of_the_data, guide, 'the plate "data" takes 4 of 10 data points'),
    "subsample": (chosen_data, guide, 'the plate "data" takes 4 of 10 data points'),
    "enumerate": (summed_out, guide, 'the model sums over "which"'),
    "no guide": (two, guide, 'the guide has no site "other"'),
    "no model": (z, guide_of_two, 'the model has no site "other"'),
    "factor": (z, guide_with_factor, '"more" is pyro.factor in the guide'),
    "observation": (z, guide_with_data, '"x" is an observation in the guide'),
    "shapes": (three_alike, guide, r'"z" has the shape \[\] in the guide and \[3\] in the model'),
    "no parameters": (z, z, "no parameters"),
    "point estimate": (z, AutoDelta(z), "no random variable"),
    "store": (z, guide_that_reads_the_store, "reads Pyro's store of parameters"),
    "no sampler": (z, guide_without_noise, "Stable has no sampler that takes noise"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_program_cannot_have_is_said_in_a_line(case):
    model, guide, said = REFUSED[case]
    with pytest.raises(ValueError, match=said) as caught:
        from_pyro(model, guide)
    assert "\n" not in str(caught.value)


def test_a_choice_by_value_in_a_guide_is_refused_when_it_is_mapped():
    problem = from_pyro(z, guide_by_value)
    params = {"loc": torch.tensor([0.1, -0.1], dtype=torch.float64)}
    with pytest.raises(ValueError, match=r"torch\.where"):
        problem.distribution(params)


def test_sites_that_are_summed_in_the_guide_are_drawn():
    problem = from_pyro(models.mixture, config_enumerate(models.mixture_guide), models.MIXED)
    assert problem.layout.names == ["which"]


def test_data_by_name_and_handlers_around_a_model():
    problem = from_pyro(poutine.scale(models.coin, 2.0), models.coin_guide, flips=models.FLIPS)
    assert problem.layout.names == ["fairness"]


LAWS = {
    "Bernoulli": dist.Bernoulli(torch.tensor([0.2, 0.7])).to_event(1),
    "Categorical": dist.Categorical(torch.tensor([0.2, 0.3, 0.5])),
    "LogNormal": dist.LogNormal(torch.zeros(3), 1.0).to_event(1),
    "MultivariateNormal": dist.MultivariateNormal(torch.zeros(2), torch.eye(2)),
    "Normal": dist.Normal(0.0, 1.0).expand([4, 2]).to_event(1).mask(torch.tensor([True, False, True, True])),
    "Poisson": dist.Poisson(torch.tensor(3.0)),
    "Uniform": dist.Uniform(torch.tensor(0.0), torch.tensor(2.0)).expand([3]),
}


@pytest.mark.parametrize("name", LAWS)
def test_distributions_of_pyro_are_those_of_torch(name):
    q = LAWS[name]
    found = plain(q)
    kind = known_kind(found)
    assert kind in registered_families() and kind is not None and kind.__name__ == name
    x = found.sample()
    unmasked = q.base_dist if isinstance(q, dist.MaskedDistribution) else q
    assert torch.equal(found.log_prob(x), unmasked.log_prob(x))
    assert (found.batch_shape, found.event_shape) == (q.batch_shape, q.event_shape)
