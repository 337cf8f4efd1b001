"""An estimator for each variable of a program."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from estimators.by_variable.branches import MOST, branch, least
from estimators.by_variable.conditional import conditional_at_start
from estimators.by_variable.main_run import MainRun, by_path, by_score, main_run
from estimators.by_variable.parts import PARTS, idle
from estimators.control_variates.leave_one_out import LeaveOneOut
from estimators.interface import Claim, ControlVariate, Estimator, Noise, Params, Problem, ScoredSamples, Traits
from estimators.interface.refusals import passes_derivatives
from estimators.learning.fresh_samples import FIT_SAMPLES
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.programs import Program
from estimators.programs.joint import unknown
from estimators.programs.runs import Own, form_of
from estimators.programs.variables import Variable
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.score_function import ScoreFunction

__all__ = ["PerVariable"]

Learn = Callable[[ControlVariate, ScoredSamples], ControlVariate]


@final
@register_estimator("per-variable")
@dataclass(frozen=True)
class PerVariable(Estimator):
    r"""An estimator for each random variable of a program, by its kind: `continuous`, `discrete`.

    The variables whose names match the pattern `at`, such as `action*`, have the estimator `there`; a `per-variable` in
    place of any of the three divides further.

    Given those before it, a variable $x_k \sim q_k(x_k; \eta_k)$ is a problem of its own, whose parameters are $\eta_k$
    and whose cost is what the rest of the program pays, with its noise. The gradient is that of the costs along the
    paths of `pathwise` variables, and for each other variable an estimate of $\nabla_{\eta_k} \mathbb{E}[f \mid
    x_{<k}]$, which the chain rule takes on to $\theta$.

    A score function with a control variate of costs alone weighs the score by the costs after the variable, over the S
    runs. Any other estimator gets, in each run, as many samples of the variable as it needs at least; the program
    is run on from each of them, with the later noise in common.
    Unbiased where each of them is.
    Schulman, Heess, Weber & Abbeel 2015; van Krieken, Tomczak & ten Teije 2021.
    """

    continuous: Estimator = field(default_factory=Pathwise)
    discrete: Estimator = field(default_factory=lambda: ScoreFunction(LeaveOneOut()))
    at: str = ""
    there: Estimator = field(default_factory=lambda: ScoreFunction(LeaveOneOut()))

    @classmethod
    def variants(cls) -> list[str]:
        others = (
            "score-function",
            "straight-through",
            "reinmax",
            "disarm",
            "arms",
            "rao-blackwellized",
            "gumbel-softmax",
            "measure-valued",
        )
        loo = "(score-function:control_variate=leave-one-out)"
        return [
            "per-variable",
            *(f"per-variable:discrete={other}" for other in others),
            f"per-variable:continuous={loo}",
            "per-variable:continuous=measure-valued",
        ]

    @property
    def traits(self) -> Traits:
        each = [getattr(self, part).traits for part in PARTS]
        elsewhere = next((one.elsewhere for one in each if one.elsewhere), "")
        return Traits(
            structured=all(one.structured for one in each),
            independent_samples=any(one.independent_samples for one in each),
            own_parameters=any(one.own_parameters for one in each),
            elsewhere=elsewhere,
        )

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, Program) or len(problem.layout.variables) == 1:
            return "per-variable needs a program of several random variables"
        if reason := idle(self, problem.layout.variables):
            return reason
        for index, variable in enumerate(problem.layout.variables):
            if reason := self._refusal(problem, index, num_samples):
                return f'at the variable "{variable.name}": {reason}'
        return None

    def _refusal(self, problem: Program, index: int, num_samples: int) -> str | None:
        variable = problem.layout.variables[index]
        estimator = self._of(variable)
        if by_path(estimator):
            own = _has_own_noise(estimator) and not form_of(variable.q).fixed_noise
            moves = "its noise depends on the values before it: pathwise alone, without a form, follows that"
            return estimator.without_path(variable.q) or passes_derivatives(problem) or (moves if own else None)
        if by_score(estimator):
            return estimator.control_variate.unsupported(problem, num_samples)
        if estimator.learns:
            return f"{estimator.spec} learns, which it can only where it estimates the whole gradient"
        later = problem.layout.variables[index + 1 :]
        if moving := [one.name for one in later if not form_of(one.q).fixed_noise]:
            return f'the noise of "{moving[0]}" after it depends on its value, and cannot be common to several values'
        sub = conditional_at_start(problem, index)
        return estimator.refusal(sub, MOST) if least(estimator, sub) is None else None

    def claim(self, problem: Problem, num_samples: int) -> Claim:
        assert isinstance(problem, Program)
        for index, variable in enumerate(problem.layout.variables):
            estimator = self._of(variable)
            whole = by_path(estimator) or by_score(estimator)
            where, samples = (problem, num_samples) if whole else branch(estimator, problem, index)
            plain = isinstance(estimator, Pathwise)
            if not (problem.differentiable if plain else estimator.claim(where, samples) == "unbiased"):
                return "biased"
        return "unbiased"

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        assert isinstance(problem, Program)
        branches = [(estimator, *branch(estimator, problem, index)) for index, estimator in self._branched(problem)]
        return num_samples * (1 + sum(estimator.evaluations(sub, samples) for estimator, sub, samples in branches))

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        assert isinstance(problem, Program)
        noise = problem.layout.noise(families.noise(problem.of_all(params), num_samples, source))
        batch, device = problem.batch_of(params), next(iter(params.values())).device
        for index, variable in enumerate(problem.layout.variables):
            if by_path(estimator := self._of(variable)) and _has_own_noise(estimator):
                own = source.stream(f"per-variable {variable.name}")
                noise[index] = (estimator.path_noise(unknown(variable, batch, device), num_samples, own),)
        branches = dict(self._branched(problem))
        run = self._run(problem, params, noise) if branches else None
        drawn = {}
        for index, estimator in branches.items():
            assert run is not None
            sub, at = run.conditional(index)
            own = source.stream(f"per-variable {problem.layout.names[index]}")
            drawn[index] = estimator.draw(sub, at, branch(estimator, problem, index)[1], own)
        return noise, drawn

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        assert isinstance(problem, Program)
        joint, drawn = noise
        run = self._run(problem, params, joint)
        total = run.total
        for estimator, part in self._scored(problem, run):
            weighed = part.cost * part.score - estimator.control_variate.term(part)
            total = total + weighed.sum(1)
        for index, estimator in self._branched(problem):
            sub, at = run.conditional(index)
            own = estimator.surrogate(sub, at, drawn[index]).reshape(run.costs[0].shape)
            total = total + problem.of_samples(own - own.detach())
        return total.mean(0)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "PerVariable":
        if not self.learns:
            return self
        noise = self.draw(problem, params, FIT_SAMPLES, source)
        return self._by_learning(problem, params, noise, lambda variate, samples: variate.taught(samples))

    def update(self, problem: Problem, params: Params, noise: Noise) -> "PerVariable":
        if not self.learns:
            return self
        return self._by_learning(problem, params, noise, lambda variate, samples: variate.update(samples))

    def _by_learning(self, problem: Problem, params: Params, noise: Noise, learn: Learn) -> "PerVariable":
        assert isinstance(problem, Program)
        with torch.no_grad():
            run = self._run(problem, params, noise[0])
            learned = {
                id(estimator): replace(estimator, control_variate=learn(estimator.control_variate, part))
                for estimator, part in self._scored(problem, run)
            }
        return self._with(learned)

    def _with(self, learned: Mapping[int, Estimator]) -> "PerVariable":
        """The same with estimators that have learned in place of those that they come from."""

        def new(part: Estimator) -> Estimator:
            return part._with(learned) if isinstance(part, PerVariable) else learned.get(id(part), part)

        return replace(self, **{part: new(getattr(self, part)) for part in PARTS})

    def part(self, variable: Variable) -> str:
        """Which of the three serves a variable."""
        return "there" if self.at and fnmatchcase(variable.name, self.at) else variable.kind

    def served(self, program: Program) -> dict[str, list[str]]:
        """The names of the variables that each estimator serves, by its spec."""
        found: dict[str, list[str]] = {}
        for variable in program.layout.variables:
            found.setdefault(self._of(variable).spec, []).append(variable.name)
        return found

    def same_as(self, program: Program) -> str | None:
        """The estimator that gives the same estimates by itself, if there is one: it serves all variables."""
        first, *others = (self._of(variable) for variable in program.layout.variables)
        by_costs_to_go = by_score(first) and first.credit == "to-go"
        shared = by_costs_to_go or (isinstance(first, Pathwise) and not _has_own_noise(first))
        return first.spec if shared and all(one.spec == first.spec for one in others) else None

    def _of(self, variable: Variable) -> Estimator:
        """The estimator of a variable."""
        found = getattr(self, self.part(variable))
        return found._of(variable) if isinstance(found, PerVariable) else found

    def _run(self, program: Program, params: Params, noise: Sequence[Own]) -> MainRun:
        each = [self._of(variable) for variable in program.layout.variables]
        return main_run(program, params, noise, [one if by_path(one) else None for one in each])

    def _branched(self, program: Program) -> list[tuple[int, Estimator]]:
        """The variables that are drawn again in each run."""
        each = [(index, self._of(variable)) for index, variable in enumerate(program.layout.variables)]
        return [(index, one) for index, one in each if not (by_path(one) or by_score(one))]

    def _scored(self, program: Program, run: MainRun) -> list[tuple[ScoreFunction, ScoredSamples]]:
        """The variables of each score function."""
        found: dict[int, tuple[ScoreFunction, list[int]]] = {}
        for index, variable in enumerate(program.layout.variables):
            if by_score(estimator := self._of(variable)):
                found.setdefault(id(estimator), (estimator, []))[1].append(index)
        return [(estimator, run.scored(indices)) for estimator, indices in found.values()]


def _has_own_noise(estimator: Estimator) -> bool:
    """Whether its path is of other noise than that of the joint sample."""
    return not (isinstance(estimator, Pathwise) and estimator.form == "auto")
