"""What control variates for answers of a policy share: figures of each answer, beside the scores that they weigh."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from estimators.interface import Problem, ScoredSamples
from estimators.programs import Program
from estimators.programs.tokens import Tokens, tokens

__all__ = ["Over", "beside_scores", "needs_a_policy", "of_tokens", "weighed_mean"]

Over = Literal["all", "others"]
"""The samples that a baseline is a mean of: all of the group, as published, or all but the own one."""


POLICY = "a policy: a program that says which tokens are part of an answer, sample(name, q, counts=…)"


def needs_a_policy(problem: Problem, name: str) -> str | None:
    """Refuses what has no tokens."""
    layout = problem.layout if isinstance(problem, Program) else None
    policy = layout is not None and not layout.latent and any(variable.counted for variable in layout.variables)
    return None if policy else f"{name} needs {POLICY}"


def of_tokens(samples: ScoredSamples) -> Tokens:
    """What is known of the tokens of the samples."""
    assert isinstance(samples.problem, Program)
    at = {name: value.detach() for name, value in samples.params.items()}
    return tokens(samples.problem, at, samples.x)


def beside_scores(samples: ScoredSamples, each: Float[Tensor, "S V *B"]) -> Float[Tensor, "S *V R"]:
    """Figures of each token in the shape of the costs; where these are those of whole answers, at their last token."""
    assert isinstance(samples.problem, Program)
    found = samples.problem.of_variables(each)
    return found if samples.variables else samples.problem.of_samples(each[:, -1])


def weighed_mean(
    cost: Float[Tensor, "S *any"], weight: Float[Tensor, "S *any"], over: Over
) -> Float[Tensor, "*any"] | Float[Tensor, "S *any"]:
    """The mean over the group, weighed; over the others, one for each sample. Where nothing weighs anything, zero."""
    total, weights = (weight * cost).sum(0), weight.sum(0)
    if over == "others":
        total, weights = total - weight * cost, weights - weight
    small = weights <= 1e-12
    return (total / weights.masked_fill(small, 1.0)).masked_fill(small, 0.0)
