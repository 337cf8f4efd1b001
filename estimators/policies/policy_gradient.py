"""The policy gradient as language models are trained with it: advantages, KL terms, weights and means over tokens."""

from dataclasses import dataclass, field, replace
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.control_variates.answers import needs_a_policy
from estimators.control_variates.leave_one_out import LeaveOneOut
from estimators.interface import Claim, ControlVariate, Estimator, Noise, Params, Problem, ScoredSamples, Traits
from estimators.interface.refusals import score
from estimators.learning.fresh_samples import fresh_samples
from estimators.noise import NoiseSource
from estimators.policies.answers import Answers
from estimators.policies.behaviour import moved_away
from estimators.policies.divergences import IN_THE_LOSS
from estimators.policies.weights import LIMITS, WEIGHTS, after_each
from estimators.programs import Program
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.families import Drawn

__all__ = ["PolicyGradient"]

UNBIASED_WEIGHTS = ("answer", "cumulative")


@final
@register_estimator("policy-gradient")
@dataclass(frozen=True)
class PolicyGradient(Estimator):
    r"""The gradient of a loss $\frac1S \sum_s \sum_t c_s\, w_{st}\, A_{st} \log \pi(a_{st})$ over S answers of a group.

    Costs are minimised, so that the advantage A is minus that of a reward. It is what `advantage` leaves of the costs
    after a token, or with `credit=total` of all; any control variate that follows from costs alone will do. What the
    gradient is compared with is always that of the expected cost, KL penalty included.

    `aggregation`: the sum over tokens; `token-mean`, over all tokens of the batch; `answer-mean`, the mean over answers
    of the means over their tokens. Both means are of another size, and in another direction where what is good
    depends on how long it is.
    `kl`: the `Penalty` is part of the `reward`, or a term of the loss that is differentiated at fixed tokens: `k1`,
    `k2`, `k3`, or `k3-ratio`, k3 times $\pi / \mathrm{sg}(\pi)$. None of these sees that a token decides what comes
    after it: k2 and k3-ratio are right for one token, k1 is nothing but noise, k3 has the gradient of the reverse KL.
    `stale`: the answers are those of a policy whose parameters lie so far away, by fixed irregular steps, and
    `weights` make up for it: $r_t = \pi / \mu$ of the `token`, of its `prefix`, of the whole `answer`, its
    `geometric` mean over the tokens, or `cumulative`: each cost with the ratios of the tokens before it. `limit`:
    weights above `cap` are `truncated` to it or `masked` to zero, or `clipped` as by PPO with $\epsilon$ = cap − 1.

    Unbiased with an unbiased advantage, the sum, the KL in the reward, and answers of the policy's own or weights
    `answer` or `cumulative` without a limit; else biased. Needs a program.
    Ahmadian et al. 2024; Shao et al. 2024; Yu et al. 2025 (DAPO); Zheng et al. 2025 (GSPO); Precup et al. 2000.
    """

    advantage: ControlVariate = field(default_factory=LeaveOneOut)
    credit: Literal["to-go", "total"] = "to-go"
    aggregation: Literal["sum", "token-mean", "answer-mean"] = "sum"
    kl: Literal["reward", "k1", "k2", "k3", "k3-ratio"] = "reward"
    weights: Literal["none", "token", "prefix", "answer", "geometric", "cumulative"] = "none"
    limit: Literal["none", "truncated", "masked", "clipped"] = "none"
    cap: float = 1.2
    stale: float = 0.0

    def __post_init__(self) -> None:
        if not self.advantage.traits.costs_alone:
            raise ValueError(f"an advantage follows from costs alone, and {self.advantage.spec} does not")
        if not 0 <= self.stale < float("inf"):
            raise ValueError(f"stale must be finite and not negative, not {self.stale}")
        if self.weights != "none" and not self.stale:
            raise ValueError("weights are for answers of another policy: say how far away it is, as by stale=0.3")
        if self.limit != "none" and self.weights == "none":
            raise ValueError(f"limit={self.limit} is one of weights: say which, as by weights=token")
        if self.limit != "none" and not 1 < self.cap < (2 if self.limit == "clipped" else float("inf")):
            raise ValueError(f"cap must lie above 1, and with limit=clipped below 2, not at {self.cap}")
        if self.weights == "cumulative" and self.credit == "total":
            raise ValueError("weights=cumulative are those of the costs after a token: leave credit=total out")

    @classmethod
    def variants(cls) -> list[str]:
        options = ("aggregation=answer-mean", "kl=k3", "stale=0.3,weights=answer")
        return [cls.name, *(f"{cls.name}:{option}" for option in options)]

    @property
    def traits(self) -> Traits:
        found = replace(self.advantage.traits, mechanism="score function", samples_of_q=not self.stale)
        return replace(found, elsewhere=found.elsewhere or ("at answers of another policy" if self.stale else ""))

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if reason := needs_a_policy(problem, self.name):
            return reason
        assert isinstance(problem, Program)
        if self.kl != "reward" and not any(beta for _, beta in problem.layout.penalties):
            return f"kl={self.kl} needs a program that yields a Penalty"
        return score(problem) or self.advantage.unsupported(problem, num_samples)

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        assert isinstance(problem, Program)
        alone = len(problem.layout.variables) == 1 and not self.stale
        kl = self.kl == "reward" or (alone and self.kl in ("k2", "k3-ratio"))
        weighed = not self.stale or (self.weights in UNBIASED_WEIGHTS and self.limit == "none")
        right = self.aggregation == "sum" and kl and weighed
        return self.advantage.claim(problem, num_samples) if right else "biased"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return num_samples + self.advantage.evaluations(problem, num_samples)

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        return families.noise(problem.distribution(moved_away(params, self.stale)), num_samples, source)

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        return self.terms(self._answers(problem, params, noise)).mean(0)

    def _answers(self, problem: Problem, params: Params, noise: Noise) -> Answers:
        behaviour = moved_away(params, self.stale)
        return self.of(problem, params, families.drawn(problem.distribution(behaviour), noise))

    def of(self, problem: Problem, params: Params, drawn: Drawn) -> Answers:
        """Answers of the behaviour policy, as the estimator sees them."""
        assert isinstance(problem, Program)
        return Answers.of(problem, params, moved_away(params, self.stale), drawn)

    def terms(self, answers: Answers) -> Float[Tensor, "S R"]:
        """What each answer adds to the loss: the value is its cost, and the rest exists for its gradient."""
        program, each = answers.program, answers.program.of_variables
        scored = self._scored(answers)
        advantage = (scored.cost - self.advantage.term(scored)).detach()
        weight = each(WEIGHTS[self.weights](answers.log_ratio, answers.counts))
        factor = each(self._factor(answers.counts))
        policy = factor * LIMITS[self.limit](weight, self.cap, advantage) * advantage * each(answers.score)
        return answers.direct() + (program.weighed(policy) + program.weighed(factor * self._divergence(answers))).sum(1)

    def _scored(self, answers: Answers) -> ScoredSamples:
        """The answers with what each token is credited with, as the advantage is made of them."""
        whole, penalised = self.credit == "total", self.kl == "reward"
        if self.weights != "cumulative":
            return answers.scored(answers.credits(whole, penalised, None), whole)
        weight = after_each(answers.log_ratio)
        to_go = answers.credits(whole, penalised, weight)
        return answers.scored(to_go / weight[:, 1:].clamp(min=torch.finfo(weight.dtype).tiny), whole)

    def _factor(self, counts: Float[Tensor, "S V *B"]) -> Float[Tensor, "S V *B"]:
        """What a token counts for, so that the mean over the S answers is what is wanted."""
        if self.aggregation == "sum":
            return counts
        if self.aggregation == "answer-mean":
            return counts / counts.sum(1, keepdim=True).clamp(min=1)
        behind = tuple(range(3, counts.ndim))  # contexts: the mean is one over the whole batch
        mean_length = counts.sum(1, keepdim=True).mean((0, *behind), keepdim=True)
        return counts / mean_length

    def _divergence(self, answers: Answers) -> Float[Tensor, "S W R"]:
        """Zero, with the gradient of the KL terms of the loss."""
        found = [torch.zeros_like(one) for one in answers.log_policy.unbind(1)]
        if self.kl != "reward":
            for token, beta, log_ratio in answers.penalties():
                ratio = (answers.score[:, token] + answers.log_ratio[:, token]).exp()
                found[token] = found[token] + beta * IN_THE_LOSS[self.kl](log_ratio, ratio)
        whole = torch.stack(found, 1)
        return answers.program.of_variables(whole - whole.detach())

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "PolicyGradient":
        if not self.advantage.learns:
            return self
        answers = self.of(problem, params, fresh_samples(problem, params, source.stream("fit")).drawn)
        return replace(self, advantage=self.advantage.taught(self._scored(answers)))

    def update(self, problem: Problem, params: Params, noise: Noise) -> "PolicyGradient":
        if type(self.advantage).update is ControlVariate.update:  # the costs would be evaluated for nothing
            return self
        with torch.no_grad():
            scored = self._scored(self._answers(problem, params, noise))
        return replace(self, advantage=self.advantage.update(scored))
