"""Latent-variable programs: against exact gradients, in standard errors, and what is refused."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from latent_programs import BY_HAND, Parts, Whole, exact_bound_of_two
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

from estimators import IID, LatentProgram, Params, Program, ReplicatedModule, make_estimator, make_problem
from estimators.interface import LatentVariableProblem, Problem, derivative, replicated
from estimators.programs import ProgramError
from estimators.programs.variables import Layout

MIXTURE, STACK = "mixture-vae:components=2,points=2", "digits-sbn:latent=1,layers=2,points=2"
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
UNBIASED = [
    LEAVE_ONE_OUT,
    "score-function:control_variate=vargrad",
    "per-data-point",
    "per-variable",
    "per-variable:discrete=disarm",
    f"per-variable:continuous=({LEAVE_ONE_OUT})",
    "stochastic-triple",
]
REPLICATES = 2_000


def flat(found: Params) -> Tensor:
    return torch.cat([value.reshape(len(value), -1) for value in found.values()], 1)


def deviation(made: Problem, spec: str, wanted: Params, num_samples: int = 2) -> float:
    """How far the mean is from a gradient in the entry where it is farthest, in standard errors."""
    params, estimator = replicated(made.initial_params(), REPLICATES), make_estimator(spec)
    estimator.require_support(made, num_samples)
    noise = estimator.draw(made, params, num_samples, IID(0, dtype=torch.float64))
    each = flat(estimator.gradient(made, params, noise))
    error = (each.std(0) / len(each) ** 0.5).clamp(min=1e-12)  # of an entry that never varies
    return float(((each.mean(0) - flat(wanted)[0]) / error).abs().max())


def exact(made: Problem) -> Params:
    found = made.exact_gradient(replicated(made.initial_params(), 1))
    assert found is not None
    return found


@pytest.mark.parametrize("spec", UNBIASED)
def test_a_discrete_and_a_continuous_variable_of_each_data_point(spec: str) -> None:
    assert deviation(make_problem(MIXTURE), spec, exact(make_problem(MIXTURE))) < 4


@pytest.mark.parametrize("problem", ["eight-schools:schools=2", "state-space:steps=2"])
@pytest.mark.parametrize("spec", ["iwae", "dreg", "sticking-the-landing"])
def test_bounds_of_one_sample_of_all_latent_variables_are_the_negative_elbo(problem: str, spec: str) -> None:
    made = make_problem(problem)
    assert isinstance(made, LatentVariableProblem) and made.num_data == 0
    assert deviation(made, spec, exact(made), 1) < 4


@pytest.mark.parametrize("spec", ["vimco", "ovis"])
def test_bounds_of_two_samples_of_two_layers_are_the_sum_over_all_pairs_of_states(spec: str) -> None:
    made = make_problem(STACK)
    assert isinstance(made, LatentVariableProblem)
    params = {name: value.requires_grad_() for name, value in replicated(made.initial_params(), 1).items()}
    wanted = derivative(exact_bound_of_two(made, params).sum(), params)
    assert deviation(made, spec, wanted) < 4.5  # of 280 entries
    assert deviation(made, spec, exact(made)) > 10, "the bound of one sample is another"


def test_the_gradient_is_a_sum_over_the_paths_of_each_data_point() -> None:
    """Which is the sum by hand: tests/test_digits.py."""
    made = make_problem(STACK)
    assert isinstance(made, LatentProgram)
    params = {name: value.double() for name, value in replicated(made.initial_params(), 2).items()}
    states = made.summed_states(params)
    assert states is not None and states.shape == (4, 2, 2, 2)
    assert made.expected_cost(params) is None and made.exact_cost(params) is not None


def test_credit_that_loses_the_log_q_of_later_variables_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_problem(MIXTURE)
    wanted = exact(made)
    lost = property(lambda self: (*self.before, *(0 for _ in self.latent)))
    monkeypatch.setattr(Layout, "known_after", lost)
    assert deviation(made, LEAVE_ONE_OUT, wanted) > 6


def credit_error() -> float:
    """How far score functions of all data points are from those of each data point alone, on the same noise."""
    made, estimator = Parts(), make_estimator("score-function")
    params = replicated(made.initial_params(), 2)
    noise = estimator.draw(made, params, 3, IID(0, dtype=torch.float64))
    found = flat(estimator.gradient(made, params, noise))
    for point in range(made.num_data):
        one = made.conditioned(made.observation[point : point + 1], 1.0)
        found = found - flat(estimator.gradient(one, params, noise[:, :, point : point + 1]))
    return float(found.abs().max())


def test_costs_of_another_data_point_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert credit_error() < 1e-10
    own = LatentProgram.credits

    def of_all(self: Any, *given: Any) -> Any:
        found = own(self, *given)
        assert found is not None
        cost, log_q = found
        return cost.sum(-1, keepdim=True).expand_as(cost), log_q

    monkeypatch.setattr(LatentProgram, "credits", of_all)
    assert credit_error() > 0.1


def test_the_parameters_of_q_are_found() -> None:
    assert set(Whole().encoder_names) == set(Parts().encoder_names) == set(BY_HAND.encoder)

    @dataclass(frozen=True)
    class Said(Whole):
        encoder = ("bias",)

    assert Said().encoder_names == ("bias",)


@dataclass(frozen=True)
class Autoencoder(LatentProgram):
    """Of networks that torch makes, under the names that people give them."""

    observation: Tensor = field(init=False, repr=False, compare=False)
    encoder: ReplicatedModule = field(init=False, repr=False, compare=False)
    decoder: ReplicatedModule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        bits = (torch.rand(3, 5, generator=generator) < 0.4).double()
        networks = {"encoder": nn.Sequential(nn.Linear(5, 4), nn.Tanh()), "decoder": nn.Linear(2, 5)}
        object.__setattr__(self, "observation", bits)
        for name, network in networks.items():
            for value in network.parameters():
                nn.init.normal_(value, generator=generator)
            object.__setattr__(self, name, ReplicatedModule(network, f"{name}."))

    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        loc, log_scale = self.encoder(params, x).chunk(2)
        z = sample("z", Normal(loc, log_scale.exp()), prior=Normal(0.0, 1.0))
        return -Bernoulli(logits=self.decoder(params, z)).log_prob(x).sum()


def test_networks_are_called_like_modules() -> None:
    made = Autoencoder().to("cpu", torch.float64)
    assert isinstance(made, Autoencoder)
    assert all(name.startswith("encoder.") for name in made.encoder_names) and len(made.encoder_names) == 2
    params = replicated(made.initial_params(), 2)
    z = torch.randn(4, 2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    likelihood = Bernoulli(logits=made.decoder.module.double()(z)).log_prob(made.observation).sum(-1)
    wanted = Normal(0.0, 1.0).log_prob(z).sum(-1) + likelihood
    torch.testing.assert_close(made.log_joint(z, params), wanted.detach())
    loc, log_scale = made.encoder.module.double()(made.observation).chunk(2, -1)
    q = Normal(loc, log_scale.exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(made.log_q(z, params), q.detach())


@dataclass(frozen=True)
class Missing(Whole):
    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        return sample("z", Normal(params["bias"], 1.0)).sum()


@dataclass(frozen=True)
class Twice(Whole):
    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        q = Normal(params["weight"] @ x + params["bias"], 1.0)
        z = sample("z", q, prior=Normal(params["prior_mean"], 1.0))
        return (q.log_prob(z) - Normal(z, 1.0).log_prob(x)).sum()


@dataclass(frozen=True)
class Wide(Whole):
    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        z = sample("z", Normal(params["bias"][0], 1.0), prior=Normal(params["prior_mean"], 1.0))
        return z**2


@dataclass(frozen=True)
class Given(Whole):
    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        return sample("z", Normal(params["bias"], 1.0), prior=params["prior_mean"]).sum()


@dataclass(frozen=True)
class Blind(Whole):
    def run(self, params: Any, sample: Any) -> Any:
        return sample("z", Normal(params["bias"], 1.0), prior=Normal(params["prior_mean"], 1.0)).sum()


@dataclass(frozen=True)
class Flat(Whole):
    def __post_init__(self) -> None:
        object.__setattr__(self, "observation", BY_HAND.observation[0])


@dataclass(frozen=True)
class OfNumpy(Whole):
    def __post_init__(self) -> None:
        object.__setattr__(self, "observation", BY_HAND.observation.numpy())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OfNumpy, r"the observation must be a tensor \[N, X\], not ndarray: write torch.as_tensor"),
        (Missing, r'the variable "z" has no prior: write sample\("z", q, prior=p\), or prior="later"'),
        (Twice, 'the parameter "weight" is in q, and in the costs at fixed values, where log q has no place'),
        (Wide, r'the prior of "z" is one of values \[2\], and its value is \[\]'),
        (Given, 'the prior of "z" is a torch distribution, or "later", not tensor'),
        (Blind, r"it is called as run\(params, sample, x\)"),
        (Flat, r"the observation must be \[N, X\], a row for each data point, not \[2\]"),
    ],
)
def test_what_is_no_latent_program_is_told(kind: type[Program], words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        assert kind().layout


def test_a_prior_that_is_forgotten_is_found_out() -> None:
    class Forgotten(Parts):
        def run(self, params: Any, sample: Any, x: Tensor) -> Any:
            *_, of_data = list(super().run(params, sample, x))
            yield of_data

    made = Forgotten()
    assert deviation(made, "pathwise", exact(Parts())) > 10 > 4 > deviation(Parts(), "pathwise", exact(Parts()))
