"""Programs of several variables: plain estimators on the joint of all, against gradients worked out by hand."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from programs import Episode, Kinds, Smooth
from torch import Tensor

from estimators import Params, Program
from estimators.control_variates import leave_one_out
from estimators.control_variates.moving_average import MovingAverage
from estimators.interface import Estimator, ScoredSamples, replicated
from estimators.noise import IID
from estimators.noise.schemes import SCHEMES
from estimators.programs import ProgramError
from estimators.programs import program as programs_room
from estimators.programs.visits import Early
from estimators.registry import make_estimator
from estimators.sampling import families
from estimators.score_function import ScoreFunction
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload

SCORE, LEAVE_ONE_OUT = "score-function", "score-function:control_variate=leave-one-out"
AVERAGE = "score-function:control_variate=moving-average"
SCORES = [SCORE, f"{SCORE}:credit=total", LEAVE_ONE_OUT, f"{LEAVE_ONE_OUT},credit=total", AVERAGE]
SHIFTED = ["spsa", "evolution-strategies", "finite-differences:common_noise=false"]
"""Their bias is that of a smoothed cost, and far smaller than the noise."""
PLACED = [f"stratified:base=score-function,scheme={scheme}" for scheme in SCHEMES]
PATHS = ["pathwise", *(f"stratified:scheme={scheme}" for scheme in SCHEMES)]
CASES = {
    Kinds: [*SCORES, *SHIFTED, *(spec for spec in PLACED if "grid" not in spec)],
    Smooth: [*SCORES, *SHIFTED, *PLACED, *PATHS, "finite-differences"],
    Episode: [*SCORES, *SHIFTED, *PLACED, "finite-differences"],
}
REPLICATES = 2**13
POWER = 0.07
"""The standard error of the whole gradient, relative to it, that is small enough to see a mistake."""
ROUNDING = 1e-10


def ready(made: Program, spec: str | Estimator) -> Workload:
    estimator = make_estimator(spec) if isinstance(spec, str) else spec
    count = next(count for count in (4, 8, 16) if estimator.unsupported(made, count) is None)
    return prepare(made, estimator, count, dtype="float64")


def gradients(work: Workload, seed: int = 5) -> Tensor:
    """`[R, P]`, at the initial parameters."""
    found = work.gradient(work.params(REPLICATES), work.draw(IID(seed, dtype=torch.float64), REPLICATES))
    return flat(found)


def flat(params: Params) -> Tensor:
    return torch.cat([value.reshape(len(value), -1) for value in params.values()], 1)


def errors(work: Workload) -> float:
    """The largest distance from the exact gradient, in standard errors, which are small."""
    exact = work.problem.exact_gradient(work.params(1))
    assert exact is not None
    each, truth = gradients(work), flat(exact)[0]
    noise = each.std(0) / REPLICATES**0.5
    assert noise.norm() <= POWER * truth.norm(), "too few replicates to see a mistake"
    return float(((each.mean(0) - truth) / noise).abs().max())


@pytest.mark.parametrize("spec, kind", [(spec, kind) for kind, specs in CASES.items() for spec in specs])
def test_estimates_of_a_joint_gradient(kind, spec):
    assert errors(ready(kind(), spec)) < 5


@pytest.mark.parametrize("kind", CASES)
def test_an_advantage_that_is_divided_by_its_spread_is_biased(kind):
    assert errors(ready(kind(), "score-function:control_variate=group-relative")) > 20


def test_the_sum_over_all_paths_is_that_by_hand():
    class Unknown(Episode):
        def expected_cost(self, params):
            return None

    made = Unknown()
    params = {name: value + 0.3 for name, value in replicated(made.initial_params(), 2).items()}
    by_paths, by_hand = made.exact_gradient(params), Episode().exact_gradient(params)
    assert by_paths is not None and by_hand is not None
    torch.testing.assert_close(by_paths, by_hand, rtol=ROUNDING, atol=ROUNDING)
    assert made.support(params).shape[0] == 3**made.steps  # pyright: ignore[reportOptionalMemberAccess]


def test_moving_averages_are_kept_for_each_variable_and_unbiased_after_an_update():
    work = ready(Kinds(), AVERAGE)
    params, estimator = work.params(REPLICATES), work.estimator
    for seed in (1, 2):
        estimator = estimator.update(work.problem, params, work.draw(IID(seed, dtype=torch.float64), REPLICATES))
    assert isinstance(estimator, ScoreFunction) and isinstance(estimator.control_variate, MovingAverage)
    average = estimator.control_variate.average
    assert average is not None and average.shape == (4, REPLICATES)
    assert errors(replace(work, estimator=estimator)) < 5


def to_go_by_hand(samples: ScoredSamples, program: Program) -> Tensor:
    """Each score times the costs that come after its variable, one by one."""
    densities, costs = program.scored(samples.params, *samples.drawn.parts)
    total = samples.direct
    for place, density in enumerate(densities):
        for known, cost in zip(program.layout.before, costs, strict=True):
            if known > place:
                total = total + cost.detach() * (density - density.detach())
    return total.mean(0)


def credit_error(made: Program, right: Program | None = None) -> float:
    """How far its gradients are from those by hand, with the credit of the right program."""
    work = ready(made, SCORE)
    params = {name: value.requires_grad_() for name, value in work.params(3).items()}
    noise = work.draw(IID(2, dtype=torch.float64), 3)
    drawn = families.drawn(work.problem.distribution(params), noise)
    by_hand = to_go_by_hand(ScoredSamples.of(work.problem, params, drawn), (right or made).to("cpu", torch.float64))
    slopes = torch.autograd.grad(by_hand.sum(), list(params.values()))
    found = work.gradient(work.params(3), noise)
    return max(float((slope - found[name]).abs().max()) for name, slope in zip(params, slopes, strict=True))


@pytest.mark.parametrize("made", [Kinds(), Smooth(), Episode()])
def test_a_cost_is_credited_to_the_variables_before_it(made):
    assert [made.layout.before, len(made.layout.names)] == {
        Kinds: [(1, 2, 4), 4],
        Smooth: [(1, 2, 3), 3],
        Episode: [(1, 2, 3), 3],
    }[type(made)]
    assert credit_error(made) < ROUNDING


@dataclass(frozen=True)
class Alone(Kinds):
    mapped: ClassVar[bool] = False


@pytest.mark.parametrize("spec", [SCORE, LEAVE_ONE_OUT, AVERAGE, "spsa"])
def test_runs_one_by_one_give_what_mapped_ones_give(spec):
    estimator = make_estimator(spec)
    both = []
    for made in (Kinds(), Alone()):
        moved, params = made.to("cpu", torch.float64), replicated(made.initial_params(), 2)
        params = {name: value.double() for name, value in params.items()}
        noise = estimator.draw(moved, params, 4, IID(1, dtype=torch.float64))
        both.append(flat(estimator.gradient(moved, params, noise)))
    torch.testing.assert_close(*both, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("made", [Kinds(), Smooth(), Episode()])
def test_a_replicate_alone_has_its_row_of_all(made, count):
    work = prepare(made, make_estimator(SCORE), count, dtype="float64")
    params = {name: value + torch.rand(value.shape) for name, value in work.params(3).items()}
    noise = work.draw(IID(4, dtype=torch.float64), 3)
    together = flat(work.gradient(params, noise))
    for row in range(3):
        own = {name: value[row : row + 1] for name, value in params.items()}
        alone = flat(work.gradient(own, noise[:, row : row + 1]))
        torch.testing.assert_close(alone[0], together[row], rtol=ROUNDING, atol=ROUNDING)


def test_credit_for_earlier_costs_is_refused(monkeypatch):
    made = Episode()
    early = replace(made.layout, before=tuple(before + 1 for before in made.layout.before))
    monkeypatch.setattr(programs_room, "found_variables", lambda *_: early)
    monkeypatch.setattr(type(early), "check", lambda *_: None)
    assert credit_error(Episode(), made) > 1e-3


class Changing(Episode):
    """Has another cost where the parameters are others than at the start."""

    mapped: ClassVar[bool] = False

    def run(self, params, sample):
        yield from super().run(params, sample)
        if params["pull"] > 0.5:
            yield params["pull"]


def test_costs_that_change_after_the_start_are_refused():
    made, estimator = Changing().to("cpu", torch.float64), make_estimator(SCORE)
    params = {name: value.double() + 1 for name, value in replicated(made.initial_params(), 1).items()}
    with pytest.raises(ProgramError, match="the costs are not known at the same turn in every run"):
        estimator.gradient(made, params, estimator.draw(made, params, 2, IID(0, dtype=torch.float64)))


def test_a_baseline_that_contains_the_own_sample_is_refused(monkeypatch):
    monkeypatch.setattr(leave_one_out, "others", lambda costs: costs.mean(0, keepdim=True).expand_as(costs))
    assert errors(ready(Episode(), LEAVE_ONE_OUT)) > 20


def test_a_path_that_is_cut_at_an_earlier_variable_is_refused(monkeypatch):
    along, fixed, work = programs_room.along_path, programs_room.fixed, ready(Smooth(), "pathwise")
    monkeypatch.setattr(programs_room, "along_path", lambda q, *own: (fixed if q.event_shape else along)(q, *own))
    assert errors(work) > 20


def test_costs_that_are_yielded_late_are_credited_to_what_they_depend_on():
    class Late(Kinds):
        def run(self, params, sample):
            drawn = 0

            def counted(name, q):
                nonlocal drawn
                drawn += 1
                return sample(name, q)

            def all_costs():
                yield (yield from super(Late, self).run(params, counted))

            yield from [Early(cost, drawn) for cost in all_costs()][::-1]

    assert Late().layout.before == Kinds().layout.before[::-1]
    assert errors(ready(Late(), LEAVE_ONE_OUT)) < 5
