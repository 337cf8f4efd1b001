"""Estimators made of estimators: what an outer one may do to the samples of any inner one."""

from itertools import product

import pytest
import torch
from cases import ESTIMATORS, problem

from estimators.interface import ControlVariate
from estimators.registry import components, make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.loop import estimate
from experiments.measuring.measurement import Measurement
from experiments.sweep import Stop

pytestmark = pytest.mark.usefixtures("short_fits", "small_chunks")

BASES = [spec for spec in ESTIMATORS if not spec.startswith(("stratified", "exact"))]
CONTROL_VARIATES = [
    name for name, cls in components("control variate").items() if issubclass(cls, ControlVariate) and name != "none"
]
PROBLEMS = ("gaussian-quadratic:dim=2", "bernoulli-toy:dim=2,logit=0.5,t=0.1", "categorical-toy:dim=2")
S = 4


def measured(estimator: str, name: str, num_samples: int = S) -> Measurement | None:
    """None: not supported, or not claimed to be unbiased."""
    made, target = make_estimator(estimator), problem(name)
    if made.unsupported(target, num_samples) or made.claim(target, num_samples) == "biased":
        return None
    work = prepare(target, made, num_samples, dtype="float64")
    return estimate(work, find_reference(work), Stop(replicates=20_480))


SCHEMES = ("antithetic", "sobol", "systematic")  # the others are Latin hypercubes too
EACH = [(base, SCHEMES[index % 3]) for index, base in enumerate(BASES)]


@pytest.mark.parametrize(
    ("base", "scheme"),
    [
        pytest.param(base, scheme, marks=[] if (base, scheme) in EACH else [pytest.mark.slow])
        for base, scheme in product(BASES, SCHEMES)
    ],
)
def test_what_stratified_claims_of_any_base_holds(base: str, scheme: str) -> None:
    for name in PROBLEMS:
        found = measured(f"stratified:base=({base}),scheme={scheme}", name)
        assert found is None or found.verdict != "biased", (name, found.p_value)


@pytest.mark.parametrize("proposal", ["proposal=shifted,scale=1.5", "proposal=widened,scale=2", "proposal=defensive"])
@pytest.mark.parametrize("control_variate", CONTROL_VARIATES)
def test_what_importance_weights_claim_of_any_control_variate_holds(control_variate: str, proposal: str) -> None:
    for name in (*PROBLEMS, "bernoulli-shared-logit:logit=2"):
        spec = f"importance-weighted:base=(score-function:control_variate={control_variate}),{proposal}"
        found = measured(spec, name, 2)
        assert found is None or found.verdict != "biased", (name, found.p_value)


@pytest.mark.parametrize("control_variate", ["double", "discrete-stein"])
def test_control_variates_of_samples_from_q_are_not_for_a_proposal(control_variate: str) -> None:
    base = f"score-function:control_variate={control_variate}"
    made = make_estimator(f"importance-weighted:base=({base})")
    reason = made.unsupported(problem("bernoulli-toy:dim=2,logit=0.5,t=0.1"), 2)
    assert reason == f"{base} needs all samples to be from q, and these are a proposal's"


def test_stratified_tries_its_base_out_whatever_the_dtype_of_the_data() -> None:
    """Initial parameters are in float64, also where the data are in float32."""
    for dtype in (torch.float32, torch.float64):
        assert make_estimator("stratified").unsupported(make_problem("linear-gaussian").to("cpu", dtype), 4) is None
