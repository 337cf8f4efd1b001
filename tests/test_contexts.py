# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""Programs of several contexts: each has samples, costs and baselines of its own."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
import torch
from planted import OwnMean
from torch import Tensor
from torch.distributions import Bernoulli, OneHotCategorical

from estimators import (
    IID,
    ContextProgram,
    Estimator,
    Params,
    Program,
    ScoredSamples,
    make_estimator,
    make_problem,
    register_program,
    replicated,
)
from estimators.programs import ProgramError
from estimators.score_function import ScoreFunction

LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@dataclass(frozen=True)
class Questions(ContextProgram):
    """Two tokens in answer to a question; what an answer is worth differs by far between questions."""

    contexts: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "contexts", numbers(3, 2))

    def initial_params(self) -> Params:
        return {"weights": numbers(2, 3, seed=1), "again": torch.tensor(0.4, dtype=torch.float64)}

    def run(self, params: Any, sample: Any, context: Tensor) -> Any:
        first = sample("first", OneHotCategorical(logits=context @ params["weights"]), state=context)
        yield 5 * context.sum() + first[0] * context[0]
        logit = params["again"] * first[1] + context[1] * params["again"]
        second = sample("second", Bernoulli(logits=logit), state=(context, first))
        yield second * (1 + first[2]) + params["again"] * context[1]

    def expected_cost(self, params: Params) -> Tensor:
        """Written anew, by the probabilities of the first token."""
        total = torch.zeros_like(params["again"])
        for context in self.contexts:
            chances = (context @ params["weights"]).softmax(-1)
            for token in range(3):
                again = params["again"] * ((token == 1) + context[1])
                cost = 5 * context.sum() + (token == 0) * context[0]
                cost = cost + again.sigmoid() * (1 + (token == 2)) + params["again"] * context[1]
                total = total + chances[:, token] * cost
        return total / len(self.contexts)


@dataclass(frozen=True)
class Summed(Questions):
    """The same, whose exact gradient is a sum over paths."""

    def expected_cost(self, params: Params) -> None:
        return None


@dataclass(frozen=True)
class Arms(ContextProgram):
    """One action for each context."""

    cost_depends_on_params: ClassVar[bool] = False
    contexts: Tensor = numbers(4, 2)

    def initial_params(self) -> Params:
        return {"weights": numbers(2, 3, seed=2)}

    def run(self, params: Any, sample: Any, context: Tensor) -> Any:
        arm = sample("arm", OneHotCategorical(logits=context @ params["weights"]), state=context)
        return 4 * context.sum() + (arm * torch.arange(3).to(arm)).sum() ** 2 * context[0]


def flat(found: Params, replicates: int) -> Tensor:
    return torch.cat([value.reshape(replicates, -1) for value in found.values()], 1)


def gradients(made: Program, spec: str | Estimator, replicates: int = 3_000, num_samples: int = 2) -> Tensor:
    params = replicated(made.initial_params(), replicates)
    estimator = make_estimator(spec) if isinstance(spec, str) else spec
    estimator.require_support(made, num_samples)
    if estimator.learns:
        start = {name: value[:1] for name, value in params.items()}
        estimator = estimator.fit(made, start, num_samples, IID(9, dtype=torch.float64))
    noise = estimator.draw(made, params, num_samples, IID(0, dtype=torch.float64))
    return flat(estimator.gradient(made, params, noise), replicates)


def exact(made: Program) -> Tensor:
    found = made.exact_gradient(replicated(made.initial_params(), 1))
    assert found is not None
    return flat(found, 1)[0]


def errors_off(made: Program, found: Tensor) -> float:
    return float(((found.mean(0) - exact(made)).abs() / (found.std(0) / math.sqrt(len(found))).clamp(min=1e-12)).max())


SPECS = [
    "score-function",
    LEAVE_ONE_OUT,
    "score-function:control_variate=moving-average",
    "score-function:control_variate=critic",
    "score-function:credit=total",
]
BY_VARIABLE = ["per-variable:discrete=rao-blackwellized", "per-variable:discrete=disarm", "stochastic-triple"]


def test_paths_of_each_context_are_summed_over() -> None:
    torch.testing.assert_close(exact(Summed()), exact(Questions()))


@pytest.mark.parametrize("spec", [*SPECS, "per-variable", BY_VARIABLE[0], BY_VARIABLE[2]])
def test_unbiased(spec: str) -> None:
    assert errors_off(Questions(), gradients(Questions(), spec)) < 4.5


@pytest.mark.parametrize("spec", [*SPECS, "rao-blackwellized"])
def test_unbiased_where_a_run_has_one_variable(spec: str) -> None:
    if make_estimator(spec).unsupported(Arms(), 2) is None:
        assert errors_off(Arms(), gradients(Arms(), spec)) < 4.5


def test_a_baseline_that_contains_the_own_sample_is_found_out() -> None:
    assert errors_off(Questions(), gradients(Questions(), ScoreFunction(OwnMean()))) > 8


@pytest.mark.parametrize("made", [Questions(), Arms()], ids=["two variables", "one variable"])
def test_baselines_are_those_of_each_context(made: Program) -> None:
    """The costs differ far more between contexts than within one; all together, they hide what a context has."""
    own, together = (
        float(gradients(made, f"{LEAVE_ONE_OUT}{credit}").var(0).sum()) for credit in ("", ",credit=total")
    )
    assert own < 0.6 * together


def test_leave_one_out_is_that_of_each_context_sample_by_sample() -> None:
    made = Arms().to("cpu", torch.float64)
    params = {name: value.requires_grad_() for name, value in replicated(made.initial_params(), 2).items()}
    x = made.distribution(params).sample((5,))
    samples = made.credited(ScoredSamples.of(made, params, x))
    assert samples.cost.shape == (5, 4, 2)
    for n, context in enumerate(made.contexts):
        cost = 4 * context.sum() + x[:, :, n] @ torch.arange(3.0, dtype=torch.float64) ** 2 * context[0]
        torch.testing.assert_close(samples.cost[:, n], cost)
        log_q = (x[:, :, n] * (context @ params["weights"]).log_softmax(-1)).sum(-1)
        weights = numbers(5, 2, seed=7)
        found, wanted = (
            torch.autograd.grad((weights * one).sum(), params["weights"], retain_graph=True)[0]
            for one in (samples.score[:, n], log_q)
        )
        torch.testing.assert_close(found, wanted / 4)


def test_batches_of_contexts_have_the_gradient_of_all_on_average() -> None:
    made = Summed().to("cpu", torch.float64)
    params = replicated(made.initial_params(), 9)
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3))  # all batches of two
    batches = made.batch(pairs).exact_gradient(params)
    assert batches is not None
    torch.testing.assert_close(flat(batches, 9).mean(0), exact(made))


def test_a_function_with_contexts_is_a_program() -> None:
    @register_program("test-contexts", contexts=torch.eye(3), weights=torch.zeros(3))
    def chosen(params: Any, sample: Any, context: Tensor) -> Any:
        yield sample("up", Bernoulli(logits=context @ params["weights"]), state=context) * context[0]

    made = make_problem("test-contexts")
    # Of three contexts one pays; d/dw sigmoid(w) = 1/4 there.
    torch.testing.assert_close(exact(made), torch.tensor([1 / 12, 0, 0], dtype=torch.float64))
    assert errors_off(made, gradients(made, LEAVE_ONE_OUT)) < 4.5


@pytest.mark.parametrize(
    ("contexts", "words"),
    [
        (torch.ones(3), r"the contexts must be \[N, C\], a row for each, not \[3\]"),
        (torch.ones(3, 2).numpy(), r"the contexts must be a tensor \[N, C\], not ndarray: write torch.as_tensor"),
    ],
)
def test_contexts_that_are_no_rows_are_told(contexts: Any, words: str) -> None:
    program = Questions()
    object.__setattr__(program, "contexts", contexts)
    with pytest.raises(ProgramError, match=words):
        assert program.layout
