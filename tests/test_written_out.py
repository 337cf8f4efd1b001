"""Negative ELBOs that somebody has written by hand: the path derivative finds log q in their cost by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from estimators.by_slopes.written_out import parameters_of_q
from estimators.interface import Params, Problem, VariationalProblem, replicated
from estimators.noise import IID
from estimators.registry import make_estimator
from experiments import measure
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.ranking.candidates import candidates
from experiments.sweep import Stop

PATH = "path-derivative"
Q = ("loc", "log_scale")
By = Callable[["Written", Distribution, Tensor, Params], Tensor]


class Given(Problem):
    """q is Gaussian in two dimensions, and the energy has a parameter of its own."""

    cost_depends_on_params: ClassVar[bool] = True

    def initial_params(self) -> Params:
        loc = torch.tensor([0.4, -0.3], dtype=torch.float64)
        return {"loc": loc, "log_scale": loc / 2, "slope": torch.tensor(0.7, dtype=torch.float64)}

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(params["loc"], params["log_scale"].exp()), 1)

    def energy(self, x: Tensor, params: Params) -> Tensor:
        return (x**2 + torch.sin(params["slope"].unsqueeze(-1) * x)).sum(-1)


@dataclass(frozen=True)
class Written(Given):
    by: By = lambda made, q, x, params: made.energy(x, params) + q.log_prob(x)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.by(self, self.distribution(params), x, params)


@dataclass(frozen=True)
class Stated(Given, VariationalProblem):
    def cost(self, x: Tensor, params: Params) -> Tensor:
        return self.energy(x, params) + self.distribution(params).log_prob(x)


def prior() -> Distribution:
    return Independent(Normal(torch.zeros(2, dtype=torch.float64), 1.0), 1)


@pytest.mark.parametrize("spec", [PATH, f"stratified:base={PATH}"])
def test_it_is_the_gradient_of_the_problem_that_states_its_energy(spec: str) -> None:
    found = []
    for problem in (Written(), Stated()):
        made, params = make_estimator(spec), replicated(problem.initial_params(), 3)
        assert made.unsupported(problem, 4) is None
        noise = made.draw(problem, params, 4, IID(1, dtype=torch.float64))
        found.append(made.gradient(problem, params, noise))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-12, atol=1e-12)


def test_it_is_unbiased_and_ranked() -> None:
    workload = prepare(Written(), make_estimator(PATH), 4, dtype="float64")
    found = estimate(workload, find_reference(workload), Stop(replicates=20_000))
    assert found.verdict != "biased" and found.detectable_bias is not None and found.detectable_bias < 0.05
    assert PATH in candidates(Written(), 4).supported


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (lambda made, q, x, params: 3 * (made.energy(x, params) + q.log_prob(x)), Q),
        (lambda made, q, x, params: made.energy(x, params) + 0.1 * (q.log_prob(x) - prior().log_prob(x)), Q),
        (lambda made, q, x, params: made.energy(x, params), ()),
        (lambda made, q, x, params: made.energy(x, params) + kl_divergence(q, prior()), ()),
        (lambda made, q, x, params: q.log_prob(x) + (x * params["loc"]).sum(-1), ()),
        (lambda made, q, x, params: q.log_prob(x) * (1 + params["slope"]) + params["loc"].sum(-1) ** 2, ()),
    ],
    ids=["times 3", "beta", "no entropy", "closed form", "loc in the energy", "loc beside it"],
)
def test_log_q_has_to_be_all_that_the_cost_takes_of_them(by: By, names: tuple[str, ...]) -> None:
    problem = Written(by)
    assert parameters_of_q(problem) == names
    refused = make_estimator(PATH).unsupported(problem, 4)
    assert (refused is None) == bool(names) and (not refused or "log q(x)" in refused)
    assert make_estimator(f"{PATH}:entropy=closed-form").unsupported(problem, 4) is not None


@pytest.mark.parametrize(
    "by",
    [
        lambda made, q, x, params: made.energy(x, params) + q.log_prob(x) + ((params["loc"] - 0.4) ** 4).sum(-1),
        lambda made, q, x, params: made.energy(x, params) + q.log_prob(x).clamp(max=-1.9),
    ],
    ids=["flat at the start", "a rare branch"],
)
def test_what_does_not_show_in_a_few_samples_at_the_start_is_found(by: By) -> None:
    assert parameters_of_q(Written(by)) == ()


def test_a_layer_that_begins_at_zero_is_of_q() -> None:
    class Layers(Written):
        def initial_params(self) -> Params:
            return {"inner": torch.ones(2, dtype=torch.float64), "outer": torch.zeros(2, dtype=torch.float64)}

        def distribution(self, params: Params) -> Distribution:
            return Independent(Normal(params["outer"] * params["inner"].tanh(), 1.0), 1)

        def energy(self, x: Tensor, params: Params) -> Tensor:
            return (x**2).sum(-1)

    assert parameters_of_q(Layers()) == ("inner", "outer")


def test_a_batch_that_is_a_new_object_knows_what_was_found_of_the_whole() -> None:
    found = {}
    for spec in (PATH, "pathwise"):
        found[spec] = measure(Amortised(), make_estimator(spec), 4, replicates=6_400, batch=8)
    assert found[PATH].total_variance.high < found["pathwise"].total_variance.low


@dataclass(frozen=True)
class Amortised(Problem):
    """A batch is made as somebody might: from its data, not by a copy."""

    cost_depends_on_params: ClassVar[bool] = True
    data: Tensor | None = None
    whole: ClassVar[Tensor] = torch.randn(32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    @property
    def num_data(self) -> int:
        return 32

    def batch(self, indices: Tensor) -> "Amortised":
        return Amortised(self.whole[indices])

    def initial_params(self) -> Params:
        return {"weight": torch.full((3, 2), 0.1, dtype=torch.float64)}

    def seen(self, params: Params) -> Tensor:
        data = (self.whole if self.data is None else self.data).to(params["weight"])
        return data if data.ndim == 3 else data.expand(len(params["weight"]), *data.shape)

    def distribution(self, params: Params) -> Distribution:
        return Independent(Normal(torch.bmm(self.seen(params), params["weight"]), 1.0), 2)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        near = (x - self.seen(params)[..., :2]) ** 2
        q = Normal(torch.bmm(self.seen(params), params["weight"]), 1.0)
        return 32 / near.shape[-2] * (near + q.log_prob(x)).sum((-1, -2))
