"""A baseline of the observation: its steps against torch's Adam, one network for each replicate, and what it saves."""

import io
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from estimators.control_variates.neural_baseline import NeuralBaseline, _guess
from estimators.interface import Estimator, LatentVariableProblem, Params, Problem, ScoredSamples
from estimators.noise import IID
from estimators.registry import make_estimator, make_problem
from estimators.wrappers.data_points import DataPoints
from experiments.measuring.loop import measure

SPEC = "score-function:control_variate=neural-baseline"
LOCAL = f"per-data-point:base=({SPEC})"
SBN = "digits-sbn:latent=2,points=3"


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


def samples(made: Problem, params: Params, seed: int, size: int = 4) -> ScoredSamples:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ScoredSamples.of(made, params, made.distribution(params).sample((size,)))


def learned(found: Estimator) -> dict:
    inner = found.base if hasattr(found, "base") else found  # type: ignore[attr-defined]
    return inner.control_variate.state  # type: ignore[attr-defined]


def views(made: LatentVariableProblem) -> list[Problem]:
    return [made, DataPoints(made)]


@pytest.mark.parametrize("index", [0, 1], ids=["whole", "per data point"])
def test_updates_are_steps_of_torchs_adam(index: int) -> None:
    """On the mean squared error of each replicate, with the same network written as modules would."""
    made = views(latent(SBN))[index]
    params = scattered(made, 2)
    found = NeuralBaseline(hidden=3, rate=0.02).update(samples(made, params, 0))
    assert found.state is not None
    spread = found.state["spread"]
    first = NeuralBaseline(hidden=3, rate=1e-30).update(samples(made, params, 0))
    assert first.state is not None
    weights = {name: value.clone().requires_grad_() for name, value in first.state["network"].items()}
    optimiser = torch.optim.Adam(weights.values(), lr=0.02)

    def network(row: int, image: Tensor) -> Tensor:
        hidden = torch.tanh(image @ weights["inner"][row] + weights["bias"][row, 0])
        return spread[row, 0] * (hidden @ weights["outer"][row, :, 0] + weights["level"][row, 0])

    images = made.observation  # type: ignore[attr-defined]
    for step in range(4):
        data = samples(made, params, step)
        if step:
            found = found.update(data)
        costs = data.cost.unflatten(1, (2, -1))
        guesses = torch.stack([torch.stack([network(row, image) for image in images]) for row in range(2)])
        guesses = guesses if index else guesses.sum(1, keepdim=True)
        optimiser.zero_grad()
        (((costs - guesses) / spread) ** 2).mean((0, 2)).sum().backward()
        optimiser.step()
    assert found.state is not None
    for name, value in weights.items():
        torch.testing.assert_close(found.state["network"][name], value.detach())


@pytest.mark.parametrize("spec", [SPEC, LOCAL])
def test_replicates_have_networks_and_batches_of_their_own(spec: str) -> None:
    made, found = latent(SBN), make_estimator(spec)
    params = scattered(made, 5)
    indices = torch.randint(3, (5, 2), generator=torch.Generator().manual_seed(0))
    rows = 2 if spec == LOCAL else 1
    together, alone = found, found
    for step in range(3):
        batch, one = made.batch(indices), made.batch(indices[3:4])
        noise = found.draw(batch, params, 4, IID(step, dtype=torch.float64))
        own = {name: value[3:4] for name, value in params.items()}
        part = noise[:, 3 * rows : 4 * rows]
        if step:
            wanted = together.gradient(batch, params, noise)
            for name, value in alone.gradient(one, own, part).items():
                torch.testing.assert_close(value[0], wanted[name][3])
        together, alone = together.update(batch, params, noise), alone.update(one, own, part)
    for one_, all_ in zip(tree_leaves(learned(alone)), tree_leaves(learned(together)), strict=True):
        torch.testing.assert_close(one_[0], all_[3])
    assert len({float(value) for value in learned(together)["network"]["level"]}) == 5


@pytest.mark.parametrize("spec", [SPEC, LOCAL])
def test_what_is_fitted_at_one_point_serves_all_replicates(spec: str) -> None:
    made, start = latent(SBN), {name: value.unsqueeze(0) for name, value in latent(SBN).initial_params().items()}
    found = make_estimator(spec).fit(made, start, 4, IID(0, dtype=torch.float64))
    params = scattered(made, 5)
    noise = found.draw(made, params, 4, IID(1, dtype=torch.float64))
    assert found.surrogate(made, params, noise).shape == (5,)
    assert learned(found.update(made, params, noise))["network"]["inner"].shape[0] == 5
    assert not any(leaf.requires_grad for leaf in tree_leaves(learned(found)))


@pytest.mark.parametrize("spec", [SPEC, LOCAL])
def test_the_state_is_saved_and_loaded_as_data(spec: str) -> None:
    made = latent(SBN)
    params = scattered(made, 3)
    found = make_estimator(spec)
    noise = found.draw(made, params, 4, IID(0, dtype=torch.float64))
    state = learned(found.update(made, params, noise))
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    again = torch.load(file, weights_only=True)
    resumed = replace(NeuralBaseline(), state=again).update(samples(made, params, 1))
    wanted = replace(NeuralBaseline(), state=state).update(samples(made, params, 1))
    assert all(map(torch.equal, tree_leaves(resumed.state), tree_leaves(wanted.state)))


@pytest.mark.parametrize("spec", [SPEC, LOCAL])
def test_it_never_sees_the_samples_that_it_is_used_on(spec: str) -> None:
    """Without a past it is nothing; then a constant for every sample of a data point, whatever the samples."""
    made = latent(SBN)
    params = scattered(made, 3)
    plain = make_estimator(spec.replace(":control_variate=neural-baseline", ""))
    found = make_estimator(spec)
    noise = found.draw(made, params, 4, IID(0, dtype=torch.float64))
    first, wanted = (one.gradient(made, params, noise) for one in (found, plain))
    assert all(torch.equal(first[name], value) for name, value in wanted.items())
    past = learned(found.update(made, params, noise))
    view = views(made)[spec == LOCAL]
    guesses = [_guess(past["network"], past["spread"], samples(view, params, seed)) for seed in (1, 2)]
    assert torch.equal(*guesses) and guesses[0].std() > 0


def test_the_guess_approaches_the_expected_cost_of_each_data_point() -> None:
    made = latent("digits-sbn:latent=2,points=6")
    start = {name: value.unsqueeze(0) for name, value in made.initial_params().items()}
    found = NeuralBaseline().fit(DataPoints(made), start, 1, IID(0, dtype=torch.float64))
    assert found.state is not None
    guess = _guess(found.state["network"], found.state["spread"], samples(DataPoints(made), start, 0))
    exact = [made.conditioned(made.observation[n : n + 1], 1.0).exact_cost(start) for n in range(6)]
    wanted = torch.cat([one for one in exact if one is not None])
    assert (guess - wanted).square().mean() < wanted.var() / 4


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("wrap", ["{}", "per-data-point:base=({})"])
def test_it_has_less_variance_than_no_baseline(wrap: str) -> None:
    made = latent(SBN)
    with_, without = (
        measure(made, make_estimator(wrap.format(spec)), 1, replicates=4_096, seed=0)
        for spec in (SPEC, "score-function")
    )
    assert with_.total_variance.high < without.total_variance.low / 10
    assert with_.verdict != "biased"


def test_what_it_needs_is_said() -> None:
    assert "observations" in (make_estimator(SPEC).unsupported(make_problem("gaussian-quadratic"), 4) or "")
    for option in ("hidden=0", "rate=0"):
        with pytest.raises(ValueError, match="must be"):
            make_estimator(f"score-function:control_variate=(neural-baseline:{option})")
