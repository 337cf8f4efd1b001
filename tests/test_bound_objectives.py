"""What a bound is a bound of: for one sample the expected cost; and what would make it another one."""

from dataclasses import dataclass, replace

import pytest
from torch import Tensor

from estimators.bounds.vimco import OVIS, ScoreOfBound
from estimators.interface import EXPECTED_COST
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.gradients.steps import Eager
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate, measure
from experiments.measuring.reference import Reference
from experiments.sweep import Stop

NEAR = "linear-gaussian:dim=2,points=2"


@dataclass(frozen=True)
class AsPublished(ScoreOfBound):
    """OVIS with the authors' −γ v_k, for γ = 1."""

    name = "as-published"

    def baselines(self, log_weights: Tensor) -> Tensor:
        return OVIS(1.0).baselines(log_weights) - log_weights.softmax(0)


def test_the_own_weight_in_the_baseline_of_ovis_is_a_bias():
    """Of the size of the gradient; it is left out, and without it there is none."""
    work = prepare(make_problem(NEAR), make_estimator("ovis:gamma=1"), 4, dtype="float64")
    published = replace(work, step=Eager(work.problem, AsPublished(), 4))
    reference = find_reference(work)
    found, wrong = (estimate(one, reference, Stop(replicates=8_192)) for one in (work, published))
    assert (found.verdict, wrong.verdict) != ("biased", "biased") and wrong.verdict == "biased"
    assert wrong.squared_bias is not None and wrong.gradient_norm is not None
    assert wrong.squared_bias.low > (0.5 * wrong.gradient_norm) ** 2


@pytest.mark.parametrize("base", ["iwae", "sticking-the-landing", "dreg", "renyi"])
def test_the_bound_of_one_sample_is_the_expected_cost(base: str):
    """With its exact gradient, under a wrapper too; that of more samples is another objective."""
    problem = make_problem("digits-vae:hidden=2,latent=1,points=2")
    for spec in (base, f"stratified:base={base},scheme=latin-hypercube"):
        one, two = (prepare(problem, make_estimator(spec), size) for size in (1, 2))
        assert one.objective == EXPECTED_COST != two.objective
        reference = find_reference(one)
        assert isinstance(reference, Reference) and reference.kind == "exact"
    found = measure(problem, make_estimator(base), 1, replicates=2_048, seed=0)
    assert found.target == EXPECTED_COST.name and found.claim == "unbiased" and found.verdict != "biased"
