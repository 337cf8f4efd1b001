"""Second derivatives, measured: against the exact Hessian, and refused where a surrogate has wrong ones."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pytest
import torch
from moving_costs import MovingTarget
from sampled_families import FAMILIES, FORMS
from torch import Tensor

from estimators import Problem, Unsupported, make_estimator, make_problem
from estimators.dice import DiCE
from estimators.interface import Estimator, Params, Wrapper, derivative, hessian_product
from estimators.registry import components
from estimators.sampling import families
from estimators.score_function import ScoreFunction
from experiments import Measurement, measure
from experiments.gradients import second_order
from experiments.gradients.prepare import prepare
from experiments.gradients.second_order import direction_of

BITS, CLASSES = "bernoulli-toy:dim=2,logit=0.5,t=0.1", "categorical-toy:classes=3,dim=2"
QUADRATIC = "gaussian-quadratic:dim=2,k=0.3,log_scale=-0.5"
LEAVE_ONE_OUT = "dice:baseline=leave-one-out"


def measured(problem: Problem | str, estimator: Estimator | str, num_samples: int = 4, **settings) -> Measurement:
    problem = make_problem(problem) if isinstance(problem, str) else problem
    estimator = make_estimator(estimator) if isinstance(estimator, str) else estimator
    return measure(problem, estimator, num_samples, **{"order": 2, "replicates": 2**14, "dtype": "float64"} | settings)


def scores(found: Measurement) -> list[float]:
    """The error of each entry of the mean, in standard errors."""
    right = found.reference_gradient
    assert right is not None and found.reference == "exact"
    errors = {name: np.sqrt(variance / found.replicates) for name, variance in found.variance.items()}
    off = [np.abs(found.mean[name] - right[name]) / (errors[name] + 1e-12) for name in right]
    return np.concatenate([each.ravel() for each in off]).tolist()


def hessian(problem: Problem) -> tuple[Tensor, Tensor]:
    """All of it, `[P, P]`, and the direction, `[P]`."""
    point = problem.initial_params()
    sizes, direction = [value.numel() for value in point.values()], direction_of(point)

    def cost(flat: Tensor) -> Tensor:
        parts = zip(point.items(), flat.split(sizes), strict=True)
        found = problem.exact_cost({name: part.reshape(1, *value.shape) for (name, value), part in parts})
        assert found is not None
        return found.sum()

    flat = torch.cat([value.flatten() for value in point.values()])
    along = torch.cat([direction[name].flatten() for name in point])
    return torch.autograd.functional.hessian(cost, flat), along  # type: ignore[return-value]


def able(problem: str) -> list[tuple[str, str]]:
    """The variants of the whole registry that say that their second derivatives are right."""
    on, made = (
        make_problem(problem),
        [make_estimator(s) for c in components("estimator").values() for s in c.variants()],
    )
    able = [one for one in made if one.refusal(on, 4) is None and one.unsupported_twice(on) is None]
    return [(problem, one.spec) for one in able if one.claim(on, 4) == "unbiased"]


@pytest.mark.parametrize(
    ("problem", "estimator"),
    [
        *able(BITS),
        *able(CLASSES),
        *able(QUADRATIC),
        ("random-walk:steps=4", "dice"),
        ("state-space:steps=2", "pathwise"),
        ("linear-gaussian:dim=2", "per-data-point:base=dice"),
    ],
)
def test_the_hessian_along_the_direction_in_standard_errors(problem: str, estimator: str):
    found = measured(problem, estimator, replicates=2**12)
    assert (found.order, found.estimator, found.claim) == (2, make_estimator(estimator).spec, "unbiased")
    assert max(scores(found)) < 4.5 and found.verdict != "biased"


@pytest.mark.parametrize("problem", [BITS, CLASSES, QUADRATIC])
def test_the_reference_is_the_whole_hessian_times_the_direction(problem: str, monkeypatch: pytest.MonkeyPatch):
    """Also where it is summed state by state."""
    monkeypatch.setattr(second_order, "ENUMERATED", 2)
    found = measured(problem, "dice", replicates=64).reference_gradient
    assert found is not None
    whole, along = hessian(make_problem(problem))
    np.testing.assert_allclose(np.concatenate([each.ravel() for each in found.values()]), whole @ along, atol=1e-12)


def test_the_variance_of_pathwise_in_closed_form():
    r"""Of $(x - k)^2$: $\nabla_\mu^2 = 2$, $\nabla_\mu\nabla_l = 2\sigma\epsilon$, $\nabla_l^2 = 4\sigma^2\epsilon^2 +
    2(\mu - k)\sigma\epsilon$ for l = log σ."""
    made, num_samples = make_problem(QUADRATIC), 4
    point, along = made.initial_params(), direction_of(made.initial_params())
    scale, off = point["log_scale"].exp(), point["loc"] - 0.3
    of_loc = 4 * scale**2 * along["log_scale"] ** 2
    linear = 2 * scale * (along["loc"] + off * along["log_scale"])
    of_scale = linear**2 + 32 * scale**4 * along["log_scale"] ** 2
    found = measured(made, "pathwise", num_samples).total_variance
    right = float((of_loc + of_scale).sum()) / num_samples
    assert abs(found.value - right) < 4 * (found.high - found.low) / 4


def test_the_baseline_takes_noise_from_the_hessian():
    plain, less = (measured("bernoulli-toy:dim=20,t=0.1", spec, replicates=4_096) for spec in ("dice", LEAVE_ONE_OUT))
    assert less.total_variance.high < plain.total_variance.low / 8


# Faults


@final
@dataclass(frozen=True)
class Pretends(Wrapper):
    """Second derivatives of any surrogate, said to be right, and `factor` times as large."""

    base: Estimator = ScoreFunction()
    factor: float = 1.0

    def unsupported_twice(self, problem: Problem) -> str | None:
        return None

    def surrogate(self, problem, params, noise):
        value = self.base.surrogate(problem, params, noise)
        return value.detach() + self.factor * (value - value.detach())


def test_a_magic_box_without_its_second_order_and_a_wrong_scale_are_biased():
    for problem in (BITS, CLASSES):
        assert measured(problem, Pretends(DiCE())).verdict != "biased"
        found = measured(problem, Pretends())
        assert found.verdict == "biased" and max(scores(found)) > 20
    noiseless = "stratified:base=pathwise,scheme=latin-hypercube"
    for factor, verdict in ((1.0, "unbiased"), (1.02, "biased")):
        assert measured(QUADRATIC, Pretends(make_estimator(noiseless), factor), 64).verdict == verdict


@pytest.mark.parametrize(
    ("problem", "estimator", "told"),
    [
        (BITS, "score-function", "the surrogate of score-function is made for first derivatives; measure dice, dice:b"),
        (BITS, "exact", "the surrogate of exact is made for first derivatives; measure dice, "),
        (QUADRATIC, "pathwise:form=implicit", "the form implicit of Normal has right first derivatives alone; measure"),
        ("gamma-cost", "pathwise", "form implicit of Gamma has right first derivatives alone; measure dice, dice:b"),
        (QUADRATIC, "pathwise:control_variate=quadratic", "quadratic is a control variate of the first derivatives"),
        (QUADRATIC, "stratified:base=score-function", "the surrogate of score-function is made for first"),
        ("linear-gaussian", "iwae", "the surrogate of iwae is made for first derivatives"),
    ],
)
def test_what_is_right_in_first_order_alone_is_refused_in_a_line(problem: str, estimator: str, told: str):
    with pytest.raises(Unsupported) as refused:
        measured(problem, estimator, replicates=64)
    assert str(refused.value).startswith("order=2: ") and told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_other_orders_are_refused():
    with pytest.raises(ValueError, match="order must be 1, for gradients, or 2, for Hessians along a direction, not 3"):
        measured(BITS, "dice", order=3)


def test_without_an_exact_cost_there_is_no_verdict_and_a_reason():
    class Unknown(MovingTarget):
        def expected_cost(self, params):
            return None

    found = measured(Unknown(), "pathwise", replicates=64)
    assert (found.reference, found.verdict) == ("none", None)
    assert "the expected cost is not known exactly, and no reference of second order is measured" in found.warnings


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_explicit_forms_have_second_derivatives_that_are_the_slopes_of_the_first(name: str, form: str):
    family, noise = FAMILIES[name], torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    if not families.find(family.at()[0], form).explicit:
        assert form == "implicit"
        return
    along = dict(enumerate((1.0, -0.6, 0.3, 0.8)))

    def moved(by: float) -> tuple[Tensor, Params]:
        place = replace(family, point=tuple(value + by * along[i] for i, value in enumerate(family.point)))
        q, values = place.at(len(noise))
        return families.sample(q, noise.unsqueeze(0), form).sum(), {str(i): value for i, value in enumerate(values)}

    direction = {str(i): torch.tensor(value) for i, value in along.items()}
    above, below = (derivative(*moved(by)) for by in (1e-5, -1e-5))
    for which, found in hessian_product(*moved(0.0), direction).items():
        torch.testing.assert_close(found, (above[which] - below[which]) / 2e-5, rtol=1e-6, atol=1e-6)


# Directions, mini-batches


def test_the_direction_is_the_same_whatever_the_seed_and_dtype_and_has_norm_1():
    made = [
        prepare(make_problem(problem), make_estimator(spec), S, seed=seed, dtype=dtype, order=2).estimator.direction  # type: ignore[attr-defined]
        for problem, spec, S, seed, dtype in (
            (QUADRATIC, "pathwise", 1, 0, "float64"),
            ("gaussian-cosine:dim=2", "dice", 4, 7, "float32"),
        )
    ]
    assert sum(float(value.square().sum()) for value in made[0].values()) == pytest.approx(1)
    for name, value in made[0].items():
        torch.testing.assert_close(value.float(), made[1][name])
        assert value.abs().min() > 1e-3


def test_on_mini_batches():
    found = measured("logistic-regression", "pathwise", 2, batch=64, replicates=512, dtype="float32")
    assert found.batch_share is not None and found.batch_share.value < 1
    assert (found.batch, found.order) == (64, 2) and found.verdict != "biased"
