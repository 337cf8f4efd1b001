# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""A critic: a baseline of the state before each variable, learned from other samples than those that it serves."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Normal
from torch.utils._pytree import tree_leaves

from estimators import (
    IID,
    Estimator,
    LatentProgram,
    Params,
    Problem,
    Program,
    Unsupported,
    make_estimator,
    make_problem,
    replicated,
)
from estimators.control_variates.critic import Critic
from estimators.interface import ScoredSamples
from estimators.programs.states import states
from estimators.score_function import ScoreFunction

SPEC = "score-function:control_variate=critic"
BY_VARIABLE = f"per-variable:discrete=({SPEC})"
GRID = "gridworld:side=2,steps=3"


@dataclass(frozen=True)
class Bandit(Program):
    """A context that says which of two arms is the better, and by far."""

    def initial_params(self) -> Params:
        return {"slope": torch.tensor(0.3, dtype=torch.float64)}

    def run(self, params: Any, sample: Any) -> Any:
        zero = torch.zeros_like(params["slope"])
        context = sample("context", Normal(zero, 1.0))
        logits = torch.stack([zero, params["slope"] * context])
        arm = sample("arm", Categorical(logits=logits), state=(context, context > 0))
        yield 10 * context + arm * context


@dataclass(frozen=True)
class Stated(LatentProgram):
    """Two bits of each data point, which say what is known before them."""

    observation: Tensor = torch.tensor([[0.2, -0.4], [1.0, 0.3], [-0.5, 0.8]], dtype=torch.float64)

    def initial_params(self) -> Params:
        return {
            "slope": torch.tensor([0.5, -0.3], dtype=torch.float64),
            "target": torch.tensor([0.4], dtype=torch.float64),
        }

    def run(self, params: Any, sample: Any, x: Tensor) -> Any:
        first = sample("first", Bernoulli(logits=x @ params["slope"]), prior=Bernoulli(0.5), state=x)
        second = sample("second", Bernoulli(logits=first - x @ params["slope"]), prior=Bernoulli(0.3), state=first)
        yield (first + second - params["target"][0]) ** 2


def fitted(made: Problem, spec: str) -> Estimator:
    made.initial_params()
    return make_estimator(spec).fit(made, replicated(made.initial_params(), 1), 4, IID(9, dtype=torch.float64))


def gradients(made: Problem, estimator: Estimator, replicates: int, num_samples: int = 4, seed: int = 0) -> Tensor:
    params = replicated(made.initial_params(), replicates)
    noise = estimator.draw(made, params, num_samples, IID(seed, dtype=torch.float64))
    return torch.cat([g.reshape(replicates, -1) for g in estimator.gradient(made, params, noise).values()], 1)


def errors_off(made: Problem, found: Tensor) -> float:
    """Of the entry that is farthest from the exact gradient, in standard errors."""
    wanted = made.exact_gradient(replicated(made.initial_params(), 1))
    assert wanted is not None
    off = found.mean(0) - torch.cat([value.flatten() for value in wanted.values()])
    return float((off.abs() / (found.std(0) / math.sqrt(len(found))).clamp(min=1e-12)).max())


def scored(made: Program, params: Params, num_samples: int, seed: int = 0) -> ScoredSamples:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x = made.distribution(params).sample((num_samples,))
    return made.credited(ScoredSamples.of(made, params, x))


@pytest.mark.parametrize("spec", [SPEC, BY_VARIABLE])
@pytest.mark.parametrize("problem", [GRID, "token-policy:length=3"])
def test_unbiased_once_it_has_learned(problem: str, spec: str) -> None:
    made = make_problem(problem)
    estimator = fitted(made, spec)
    assert estimator.claim(made, 4) == "unbiased" and not estimator.unlearned
    assert errors_off(made, gradients(made, estimator, 6_000)) < 4.5


def test_each_data_point_has_a_state_before_each_variable() -> None:
    made = Stated()
    found, plain = (gradients(made, one, 2_000) for one in (fitted(made, SPEC), make_estimator("score-function")))
    assert errors_off(made, found) < 4.5
    of_q = slice(2)  # no baseline touches the derivative in the target, which is direct
    assert found[:, of_q].var(0).sum() < 0.9 * plain[:, of_q].var(0).sum()


def test_what_it_learned_from_its_own_samples_is_found_out() -> None:
    made, params = make_problem(GRID), replicated(make_problem(GRID).initial_params(), 4_000)
    start = {name: value[:1] for name, value in params.items()}
    critic = ScoreFunction(Critic(rate=0.1)).fit(made, start, 2, IID(9, dtype=torch.float64))
    noise = critic.draw(made, params, 2, IID(0, dtype=torch.float64))
    for _ in range(5):
        critic = critic.update(made, params, noise)
    found = critic.gradient(made, params, noise)["policy"].reshape(4_000, -1)
    assert errors_off(made, found) > 8
    assert errors_off(made, gradients(made, critic, 4_000, 2, seed=1)) < 4.5


def test_it_knows_more_than_a_constant_for_each_step() -> None:
    made = make_problem("gridworld")
    constant, critic = (
        float(gradients(made, fitted(made, f"score-function:control_variate={name}"), 3_000).var(0).sum())
        for name in ("moving-average", "critic")
    )
    assert critic < 0.97 * constant


def test_a_context_that_is_a_variable_takes_its_noise_away() -> None:
    made = Bandit()
    constant, critic = (
        gradients(made, fitted(made, f"score-function:control_variate={name}"), 3_000, 1)
        for name in ("moving-average", "critic")
    )
    assert float(critic.var()) < 0.05 * float(constant.var())
    apart = (critic.mean() - constant.mean()).abs() / ((critic.var() + constant.var()) / 3_000).sqrt()
    assert float(apart) < 4


def test_states_are_those_before_each_variable() -> None:
    made = make_problem(GRID).to("cpu", torch.float64)
    params = replicated(made.initial_params(), 2)
    samples = scored(made, params, 3)
    found = states(made, params, samples.x)
    assert [state.shape[-1] for state in found] == [4, 0, 4, 0, 4, 0]
    for s in range(3):
        for r in range(2):
            cell, x = torch.eye(4, dtype=torch.float64)[0], samples.x[s, r]
            for step in range(3):
                torch.testing.assert_close(found[2 * step][s, r], cell)
                action, slips = x[5 * step : 5 * step + 4], x[5 * step + 4]
                action = action.roll(1) if slips else action
                cell = torch.einsum("c,d,cdn->n", cell, action, made.moves)


def test_updates_are_steps_of_torchs_adam() -> None:
    """On the mean squared error of each replicate, with the same network written as for one state."""
    made = make_problem(GRID).to("cpu", torch.float64)
    params = {"policy": torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)}
    first = Critic(hidden=3, rate=1e-30).update(scored(made, params, 5)).network
    assert first is not None
    weights = {name: value.clone().requires_grad_() for name, value in first["weights"].items()}
    scales = first["scales"]
    optimiser = torch.optim.Adam(weights.values(), lr=0.02)

    def guess(variable: int, row: int, state: Tensor) -> Tensor:
        state = torch.cat([state, state.new_zeros(4 - len(state))])
        z = (state - scales["centre"][row]) / scales["width"][row]
        hidden = torch.tanh(z @ weights["inner"][row] + weights["bias"][row, variable])
        linear = z @ weights["linear"][row] + weights["level"][row, variable]
        return scales["spread"][row] * (hidden @ weights["outer"][row] + linear)

    found = Critic(hidden=3, rate=0.02)
    for step in range(3):
        samples = scored(made, params, 5, step)
        found, before = found.update(samples), states(made, params, samples.x)
        rows = [
            torch.stack([torch.stack([guess(v, r, state) for state in before[v][:, r]]) for v in range(6)], 1)
            for r in range(2)
        ]
        missed = (samples.cost - torch.stack(rows, -1)) / scales["spread"]
        optimiser.zero_grad()
        (missed**2).mean((0, 1)).sum().backward()
        optimiser.step()
    assert found.network is not None
    for name, value in weights.items():
        torch.testing.assert_close(found.network["weights"][name], value.detach())


def test_it_learns_in_training() -> None:
    made = make_problem(GRID)
    params = {name: value.clone().requires_grad_() for name, value in made.initial_params().items()}
    estimator = make_estimator(SPEC)
    for step in range(3):
        loss, estimator = estimator.step(made, params, 4, IID(step, dtype=torch.float64))
        loss.backward()
    assert not estimator.unlearned
    assert not any(leaf.requires_grad for leaf in tree_leaves(estimator.control_variate.network))


@pytest.mark.parametrize("name", ["critic", "moving-average"])
def test_baselines_of_the_sum_of_all_costs_are_fitted_to_it(name: str) -> None:
    """With as many samples as variables a baseline for each variable would pass for one of each sample."""
    made = make_problem(GRID)
    estimator = fitted(made, f"score-function:control_variate={name},credit=total")
    found = gradients(made, estimator, 3_000, 6)
    plain = gradients(made, make_estimator("score-function:credit=total"), 3_000, 6)
    assert errors_off(made, found) < 4.5
    assert float(found.var(0).sum()) < 1.3 * float(plain.var(0).sum())
    assert estimator.control_variate.term(scored_in_all(made)).shape == (6, 2)


def scored_in_all(made: Problem) -> ScoredSamples:
    params = replicated(made.initial_params(), 2)
    return ScoredSamples.of(made, params, made.distribution(params).sample((6,)))


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("gaussian-quadratic", "needs a program of several random variables"),
        ("layers", r"write sample\(name, q, state"),
    ],
)
def test_where_no_state_is_known(problem: str, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        make_estimator(SPEC).require_support(make_problem(problem), 2)
