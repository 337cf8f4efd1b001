"""The flow of the problem `flow`: its couplings, its exact gradient, and no noise where q is the target."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from estimators import VariationalProblem, make_estimator, make_problem
from estimators.interface import start
from estimators.noise import IID
from estimators.sampling import families
from experiments.problems.flow import Coupling, Flow

SMALL = "flow:curvature=1,hidden=3,layers=3"


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_coupling_is_undone_and_knows_its_determinant(kept: int):
    coupling: Any = Coupling(drawn(0, 1, 2, 3), drawn(1, 1, 2, 4), kept)
    x = drawn(2, 1, 2)
    y = coupling(x)
    assert torch.allclose(coupling.inv(y), x) and torch.equal(y[..., kept], x[..., kept])
    jacobian = torch.autograd.functional.jacobian(lambda one: coupling(one.unsqueeze(0)).squeeze(0), x[0])
    assert torch.allclose(coupling.log_abs_det_jacobian(x, y).squeeze(), torch.linalg.slogdet(jacobian)[1])


def test_the_expectation_is_the_mean_of_the_cost():
    problem = make_problem(SMALL)
    params = start(problem)
    q = problem.distribution(params)
    cost = problem.cost(families.sample(q, families.noise(q, 40_000, IID(0, dtype=torch.float64))), params)
    expected = problem.expected_cost(params)
    assert expected is not None
    assert abs(cost.mean() - expected) < 4 * cost.std() / len(cost) ** 0.5


@dataclass(frozen=True)
class Reached(VariationalProblem):
    """A flow whose target is itself, where it starts."""

    flow = Flow(layers=2, hidden=3)
    cost_depends_on_params = True

    def initial_params(self):
        return self.flow.initial_params()

    def distribution(self, params):
        return self.flow.distribution(params)

    def energy(self, x, params):
        there = {name: value.expand(x.shape[1], *value.shape).to(x) for name, value in self.initial_params().items()}
        return -families.log_prob(self.distribution(there), x)

    def cost(self, x, params):
        return families.log_prob(self.distribution(params), x) + self.energy(x, params)


def test_where_the_flow_is_the_target_the_path_derivative_has_no_noise():
    problem = Reached()
    source, params, largest = IID(0, dtype=torch.float64), start(problem), {}
    for spec in ("path-derivative", "pathwise"):
        estimator = make_estimator(spec)
        found = estimator.gradient(problem, params, estimator.draw(problem, params, 4, source))
        largest[spec] = max(float(value.abs().max()) for value in found.values())
    assert largest["path-derivative"] < 1e-12 < 1e-2 < largest["pathwise"]
