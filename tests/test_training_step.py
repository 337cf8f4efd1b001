"""`Estimator.step`: what an estimator learns in a training loop, from which samples, and what it is worth."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from estimators.control_variates.lax import Lax
from estimators.discrete.rebar import Rebar
from estimators.interface import Estimator, Params, Problem, ScoredSamples, replicated
from estimators.interface.training import warn_of_nothing_learned
from estimators.learning import variance_gradient
from estimators.learning.state import learned_state
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.sampling import families

SBN, BITS, COSINE = "digits-sbn:latent=2,points=3", "bernoulli-toy:dim=3,logit=0.5,t=0.1", "gaussian-cosine:dim=2,k=2"
QUADRATIC = "gaussian-quadratic:dim=2"
PLAIN = "score-function"


def control(name: str) -> str:
    return f"{PLAIN}:control_variate={name}"


LEARNERS = [
    *((control(name), SBN) for name in ("moving-average", "neural-baseline", "optimal-baseline")),
    (control("(regression:control=muprop)"), SBN),
    ("rebar", SBN),
    ("relax", SBN),
    (f"per-data-point:base=({control('neural-baseline')})", SBN),
    (control("regression"), QUADRATIC),
    (control("lax"), QUADRATIC),
]


def trained(spec: str, problem: Problem, num_samples: int, steps: int = 60) -> tuple[Estimator, Params]:
    """The loop of the README, with noise of its own."""
    estimator, source = make_estimator(spec), IID(3, dtype=torch.float64)
    params = {name: value.clone().requires_grad_() for name, value in problem.initial_params().items()}
    optimiser = torch.optim.Adam(params.values(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        loss, estimator = estimator.step(problem, params, num_samples, source)
        loss.backward()
        optimiser.step()
    return estimator, {name: value.detach() for name, value in params.items()}


def gradients(estimator: Estimator, problem: Problem, params: Params, num_samples: int, count: int = 4_000) -> Tensor:
    rows = replicated(params, count)
    with torch.no_grad():
        noise = estimator.draw(problem, rows, num_samples, IID(7, dtype=torch.float64))
    found = estimator.gradient(problem, rows, noise)
    return torch.cat([value.reshape(count, -1) for value in found.values()], 1)


@pytest.mark.parametrize(("spec", "problem"), LEARNERS)
def test_what_a_loop_has_learned_lowers_the_variance_and_adds_no_bias(spec: str, problem: str) -> None:
    """At the parameters that training ends at, against the plain score function and the exact gradient."""
    made = make_problem(problem)
    estimator, params = trained(spec, made, 2)
    found, plain = (gradients(one, made, params, 2) for one in (estimator, make_estimator(PLAIN)))
    assert not torch.equal(found, plain)
    assert found.var(0).sum() < plain.var(0).sum() / 4
    exact = made.exact_gradient(replicated(params, 1))
    assert exact is not None
    wanted = torch.cat([value.flatten() for value in exact.values()])
    error = (found.var(0) / len(found)).sqrt()
    assert ((found.mean(0) - wanted).abs() <= 5 * error + 1e-9).all()


@pytest.mark.parametrize(("spec", "problem"), [("rebar", BITS), ("relax", BITS), (control("discrete-stein"), BITS)])
def test_coefficients_that_are_learned_along_beat_those_of_the_start(spec: str, problem: str) -> None:
    """On the same noise: the difference of the squares, in standard errors."""
    made = make_problem(problem)
    estimator, params = trained(spec, made, 2, steps=150)
    after, before = (gradients(one, made, params, 2) for one in (estimator, make_estimator(spec)))
    saved = (before**2).sum(1) - (after**2).sum(1)
    assert saved.mean() > 5 * saved.std() / len(saved) ** 0.5


def test_double_learns_the_multiple_that_fit_finds() -> None:
    """On a cost whose slopes at other points mislead, where −1 doubles the variance."""
    made = make_problem(COSINE)
    estimator, params = trained(control("double"), made, 2, steps=150)
    fitted = make_estimator(control("double")).fit(made, replicated(params, 1), 2, IID(0, dtype=torch.float64))
    after, best, start = (
        gradients(one, made, params, 2).var(0).sum() for one in (estimator, fitted, make_estimator(control("double")))
    )
    assert best < start / 1.5 and after - best < (start - best) / 4


@pytest.mark.parametrize("spec", [control("moving-average"), "rebar", control("lax")])
def test_a_loss_never_sees_what_was_learned_from_its_samples(spec: str) -> None:
    """The loss of a step is that of the estimator before it, bit for bit, with its gradient."""
    made = make_problem(BITS if spec == "rebar" else COSINE)
    estimator, start = trained(spec, made, 2, steps=3)
    found = []
    for call in (lambda *given: estimator.step(*given).loss, estimator.loss):
        params = {name: value.clone().requires_grad_() for name, value in start.items()}
        loss = call(made, params, 2, IID(1, dtype=torch.float64))
        loss.backward()
        found.append([loss.detach(), *(value.grad for value in params.values())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_the_step_of_the_variance_is_its_gradient() -> None:
    """The mean slope of many replicates, against central differences of the mean square on the same noise."""
    made, count = make_problem(BITS), 2_000
    params = replicated(made.initial_params(), count)
    rebar = Rebar(temperature=0.7)
    noise = rebar.draw(made, params, 2, IID(0, dtype=torch.float64))
    moments = rebar.update(made, params, noise).moments
    assert moments is not None

    def square(changed: dict[str, float]) -> Tensor:
        given = rebar.given(params)
        moved = {name: value + changed.get(name, 0.0) for name, value in given.items()}
        found = replace(rebar, coefficients=moved).gradient(made, params, noise)
        return sum((value**2).flatten(1).sum(1) for value in found.values())  # type: ignore[return-value]

    for name in ("scale", "log_temperature"):
        wanted = (square({name: 1e-5}) - square({name: -1e-5})) / 2e-5
        torch.testing.assert_close(moments["mean"][name] / 0.1, wanted, rtol=1e-5, atol=1e-8)


def scattered(made: Problem, replicates: int) -> Params:
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + 0.1 * torch.randn(replicates, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in made.initial_params().items()
    }


@pytest.mark.parametrize("spec", ["rebar", "relax", "per-data-point:base=relax", control("double")])
def test_replicates_learn_apart(spec: str) -> None:
    """A replicate alone learns what it learns among others, whose parameters, noise and coefficients are theirs."""
    made, found = make_problem(SBN), make_estimator(spec)
    params, rows = scattered(made, 4), 3 if spec.startswith("per") else 1
    own = {name: value[2:3] for name, value in params.items()}
    together, alone = found, found
    for step in range(3):
        noise = found.draw(made, params, 2, IID(step, dtype=torch.float64))
        part = {name: value[:, 2 * rows : 3 * rows] for name, value in noise.items()} if isinstance(noise, dict) else 0
        part = part or noise[:, 2 * rows : 3 * rows]
        if step and spec not in ("relax", "per-data-point:base=relax"):  # whose first networks see noise of their own
            wanted = together.gradient(made, params, noise)
            for name, value in alone.gradient(made, own, part).items():
                torch.testing.assert_close(value[0], wanted[name][2])
        together, alone = together.update(made, params, noise), alone.update(made, own, part)
    assert {len(leaf) for leaf in tree_leaves(learned_state(together))} == {4}
    assert together.gradient(made, params, noise).keys() == params.keys()


def test_lax_learns_for_each_replicate() -> None:
    made = make_problem(COSINE)
    params = {name: value.requires_grad_() for name, value in scattered(made, 3).items()}
    q = made.distribution(params)
    samples = ScoredSamples.of(made, params, families.sample(q, IID(0, dtype=torch.float64).normal((2, 3, 2))))
    found = Lax(hidden=4).update(samples).update(samples)
    assert found.network is not None and found.network["inner"].shape == (3, 2, 4)
    assert len(set(found.network["level"].tolist())) == 3
    assert found.term(samples).shape == (2, 3)


@pytest.fixture
def afresh() -> None:
    warn_of_nothing_learned.cache_clear()


def once(call: Callable[[], object], times: int = 3) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(times):
            call()
    return [str(one.message) for one in caught]


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize("spec", [control("moving-average"), "rebar", f"stratified:base=({control('lax')})"])
def test_a_loss_of_what_has_learned_nothing_warns_once(spec: str) -> None:
    made, estimator = make_problem(BITS if spec == "rebar" else COSINE), make_estimator(spec)
    params = made.initial_params()
    (message,) = once(lambda: estimator.loss(made, params, 4))
    assert message.startswith(estimator.spec) and "estimator.step(problem, params, num_samples)" in message
    assert "\n" not in message
    assert once(lambda: make_estimator(spec).loss(made, params, 4)) == []


@pytest.mark.usefixtures("afresh")
def test_nothing_else_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a step, nor the loss of an estimator that has learned, nor that of one that has nothing to learn."""
    monkeypatch.setattr(variance_gradient, "STEPS", 2)
    made = make_problem(BITS)
    params = made.initial_params()
    fitted = make_estimator("rebar").fit(made, replicated(params, 1), 2, IID(0, dtype=torch.float64))
    learned = make_estimator("rebar").step(made, params, 2).estimator
    for estimator in (fitted, learned, make_estimator(control("leave-one-out"))):
        assert once(lambda: estimator.loss(made, params, 2)) == []  # noqa: B023
    plain = make_estimator(control("leave-one-out"))
    assert once(lambda: make_estimator("rebar").step(made, params, 2)) == []
    assert plain.step(made, params, 2).estimator is plain and not plain.learns
