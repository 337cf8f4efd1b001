"""Stochastic triples: one alternative of one discrete variable is followed."""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from estimators.by_variable.main_run import MainRun, main_run
from estimators.interface import Estimator, Noise, Params, Problem, Traits
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.programs import Program
from estimators.programs.apart import put_together
from estimators.programs.runs import fixed, form_of
from estimators.registry import register_estimator
from estimators.sampling import families
from estimators.sampling.families import Drawn, unwrap
from estimators.sampling.family import states_of
from estimators.sampling.states import Marked

__all__ = ["StochasticTriple"]

PATH = Pathwise()


@final
@register_estimator("stochastic-triple")
@dataclass(frozen=True)
class StochasticTriple(Estimator):
    r"""Follows, in each run of a program, one state $y \ne x_k$ of one discrete variable, with the noise in common,

    $$\frac{f(x_k \to y) - f(x)}{\pi_{k,y}}\, \nabla_\theta p_k(y), \qquad
      \pi_{k,y} \propto p_k(y)\, (1 - p_k(y)),$$

    which is chosen in proportion to how far its probability moves with its logit. The mean over the choice is the sum
    over all alternatives of all variables. Continuous variables have the derivative along their paths. Two runs a
    sample, however many variables there are.
    Unbiased for any cost. Arya, Schauer, Schäfer & Rackauckas 2022.
    """

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at another state of a variable")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, Program) or len(problem.layout.variables) == 1:
            return f"{self.name} needs a program of several random variables"
        followed = _followed(problem)
        if not any(followed):
            return f"{self.name} needs a discrete variable: Bernoulli or OneHotCategorical"
        for variable, is_followed in zip(problem.layout.variables, followed, strict=True):
            form = form_of(variable.q)
            if not (is_followed or form.differentiable):
                kind = type(unwrap(variable.q)).__name__
                return f'{self.name} has neither the states nor a path of the variable "{variable.name}" ({kind})'
            if not form.fixed_noise:
                return (
                    f'the noise of "{variable.name}" depends on the values before it, and cannot be common to two runs'
                )
        return None

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return 2 * num_samples

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        assert isinstance(problem, Program)
        joint = families.noise(problem.of_all(params), num_samples, source)
        return joint, source.stream("alternative").uniform(tuple(joint.shape[:-1]))

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        assert isinstance(problem, Program)
        joint, u = noise
        followed = _followed(problem)
        paths = [None if one else PATH for one in followed]
        run = main_run(problem, params, problem.layout.noise(joint), paths)
        each = {index: _probabilities(run, index) for index, one in enumerate(followed) if one}
        probabilities = torch.cat([p.flatten(-2) for p in each.values()], -1)
        weights = torch.cat([_weights(run, index, p).flatten(-2) for index, p in each.items()], -1)
        chosen, chance = _chosen(weights, u)
        marks = chosen.split([p.shape[-2:].numel() for p in each.values()], -1)
        alternatives = {
            index: _moved(run, index, mark, p) for (index, p), mark in zip(each.items(), marks, strict=True)
        }
        rise = _total(run, alternatives) - run.each.detach()
        slope = torch.where(chance > 0, rise / chance, 0.0)
        moved = (chosen * (probabilities - probabilities.detach())).sum(-1)
        return problem.of_samples(run.each + slope * moved).mean(0)


def _followed(program: Program) -> list[bool]:
    return [isinstance(states_of(variable.q), Marked) for variable in program.layout.variables]


def _marked(run: MainRun, index: int) -> Marked:
    states = states_of(run.program.layout.variables[index].q)
    assert isinstance(states, Marked)
    return states


def _probabilities(run: MainRun, index: int) -> Float[Tensor, "*B D K"]:
    """Those of all states of each of the D variables that a value consists of."""
    tensors = [tensor.flatten(0, run.each.ndim - 1) for tensor in run.tensors[index]]
    found = _marked(run, index).probabilities(unwrap(put_together(run.program.layout.variables[index].q, tensors)))
    return found.reshape(*run.each.shape, -1, found.shape[-1])


def _weights(run: MainRun, index: int, probabilities: Tensor) -> Float[Tensor, "*B D K"]:
    """Those of the alternatives; 0 for the state that the run has."""
    marks = _marked(run, index).marks(run.values[index][0]).reshape(probabilities.shape)
    p = probabilities.detach()
    return (1 - marks) * p * (1 - p)


def _chosen(weights: Float[Tensor, "*B A"], u: Float[Tensor, "*B"]) -> tuple[Tensor, Tensor]:
    """1 at the alternative that is chosen, and its chance; a chance of 0 where there is none."""
    levels = weights.cumsum(-1)
    total = levels[..., -1]
    place = (levels < (u * total).unsqueeze(-1)).sum(-1, keepdim=True).clamp(max=weights.shape[-1] - 1)
    chosen = torch.zeros_like(weights).scatter(-1, place, 1.0)
    return chosen, torch.where(total > 0, (chosen * weights).sum(-1) / total, 0.0)


def _moved(run: MainRun, index: int, mark: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a variable is the one that moves in a run, and its value then."""
    states, x = _marked(run, index), run.values[index][0]
    inner: Any = unwrap(run.program.layout.variables[index].q)
    goes_to = mark.reshape(probabilities.shape)
    marks = torch.where(goes_to.sum(-1, keepdim=True) > 0, goes_to, states.marks(x).reshape(probabilities.shape))
    value = states.samples(inner, marks.argmax(-1).reshape(*run.each.shape, *inner.batch_shape))
    return mark.sum(-1) > 0, value.to(x.dtype)


def _replaced(q: Distribution, noise: Tensor, moves: Tensor, value: Tensor) -> Drawn:
    """The other value in the run in which the variable moves, and in others that of the noise."""
    return Drawn((torch.where(moves, value, fixed(q, noise).x),))


def _total(run: MainRun, alternatives: dict[int, tuple[Tensor, Tensor]]) -> Float[Tensor, "*B"]:
    """The costs of runs with one value replaced and the noise in common."""
    choices = [_replaced if index in alternatives else fixed for index in range(len(run.noise))]
    own = [(*noise, *alternatives.get(index, ())) for index, noise in enumerate(run.noise)]
    at = {name: value.detach() for name, value in run.params.items()}
    return torch.stack(run.program.runs(at, choices, own, run.program.layout.paid)).sum(0)
