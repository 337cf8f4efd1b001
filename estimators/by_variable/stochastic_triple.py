"""Stochastic triples: one alternative of one discrete variable is followed."""

from dataclasses import dataclass
from typing import Any, Literal, final

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

    That serves any number of parameters. The triples of the paper are forwards, of a single one (`along=parameter`):
    a run leaves x only for the states to which growing $\theta$ carries it, at the rates
    $\rho_{k,y} = \max(0, \partial_\theta p_k(y) - \frac{p_k(y)}{p_k(x_k)} \partial_\theta p_k(x_k))$, and follows
    one in proportion to its rate, with the estimate $(f(x_k \to y) - f(x)) \sum \rho$. That takes a third run.
    Unbiased for any cost. Arya, Schauer, Schäfer & Rackauckas 2022.
    """

    along: Literal["logits", "parameter"] = "logits"

    @classmethod
    def variants(cls) -> list[str]:
        return [cls.name, f"{cls.name}:along=parameter"]

    @property
    def traits(self) -> Traits:
        return Traits(elsewhere="at another state of a variable")

    def unsupported(self, problem: Problem, num_samples: int) -> str | None:
        if not isinstance(problem, Program) or len(problem.layout.variables) == 1:
            return f"{self.name} needs a program of several random variables"
        if self.along == "parameter" and (reason := _not_forwards(problem)):
            return f"{self.spec} {reason}"
        followed = _followed(problem)
        if not any(followed):
            return f"{self.name} needs a discrete variable: Bernoulli or OneHotCategorical"
        for variable, is_followed in zip(problem.layout.variables, followed, strict=True):
            form = form_of(variable.q)
            if not (is_followed or problem.differentiable):
                return f'no derivative goes through the cost, and the states of "{variable.name}" cannot be followed'
            if not (is_followed or form.differentiable):
                kind = type(unwrap(variable.q)).__name__
                return f'{self.name} has neither the states nor a path of the variable "{variable.name}" ({kind})'
            if not form.fixed_noise:
                return (
                    f'the noise of "{variable.name}" depends on the values before it, and cannot be common to two runs'
                )
        return None

    def evaluations(self, problem: Problem, num_samples: int) -> int:
        return (3 if self.along == "parameter" else 2) * num_samples

    def draw(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> Noise:
        assert isinstance(problem, Program)
        joint = families.noise(problem.of_all(params), num_samples, source)
        return joint, source.stream("alternative").uniform(tuple(joint.shape[:-1]))

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Float[Tensor, " R"]:
        assert isinstance(problem, Program)
        joint, u = noise
        paths = [None if one else PATH for one in _followed(problem)]
        run = main_run(problem, params, problem.layout.noise(joint), paths)
        by_side = _along_parameter if self.along == "parameter" else _along_logits
        return problem.of_samples(run.each + by_side(run, paths, u)).mean(0)


def _not_forwards(program: Program) -> str | None:
    """Why no derivative is taken forwards."""
    if sum(value.numel() for value in program.initial_params().values()) > 1:
        return "needs a program with a single number as its parameter; stochastic-triple serves any number of them"
    return None if program.mapped else "differentiates a program forwards, which has to be mapped for that"


def _along_logits(run: MainRun, paths: list[Pathwise | None], u: Tensor) -> Float[Tensor, "*B"]:
    """The term whose derivative is that of the probability of the state that is followed."""
    probabilities = _probabilities(run, paths)
    weights = {index: _others(run, index, p) * p.detach() * (1 - p.detach()) for index, p in probabilities.items()}
    chosen, rise, total = _followed_from(run, weights, u)
    chance = torch.where(total > 0, (chosen * _side_by_side(weights)).sum(-1) / total, 0.0)
    slope = torch.where(chance > 0, rise / chance, 0.0)
    joined = _side_by_side(probabilities)
    return slope * (chosen * (joined - joined.detach())).sum(-1)


def _along_parameter(run: MainRun, paths: list[Pathwise | None], u: Tensor) -> Float[Tensor, "*B"]:
    """The term whose derivative is the rise times the rate at which the run leaves x."""
    at = {name: value.detach().clone() for name, value in run.params.items()}  # a dual has memory of its own

    def probabilities(at: Params) -> dict[int, Tensor]:
        return _probabilities(main_run(run.program, at, run.noise, paths), paths)

    along = {name: torch.ones_like(value) for name, value in at.items()}
    found, slopes, *_ = torch.func.jvp(probabilities, (at,), (along,))
    rates = {index: _rates(run, index, p, slopes[index]) for index, p in found.items()}
    _, rise, rate = _followed_from(run, rates, u)
    (theta,) = run.params.values()
    return rise * rate * (theta - theta.detach()).reshape(-1, *[1] * (rise.ndim - 2))


def _followed(program: Program) -> list[bool]:
    return [isinstance(states_of(variable.q), Marked) for variable in program.layout.variables]


def _marked(run: MainRun, index: int) -> Marked:
    states = states_of(run.program.layout.variables[index].q)
    assert isinstance(states, Marked)
    return states


def _probabilities(run: MainRun, paths: list[Pathwise | None]) -> dict[int, Float[Tensor, "*B D K"]]:
    """Those of all states of each of the D variables that a value consists of, by the place of the variable."""
    found = {}
    for index in [index for index, path in enumerate(paths) if path is None]:
        tensors = [tensor.flatten(0, run.each.ndim - 1) for tensor in run.tensors[index]]
        q: Any = unwrap(put_together(run.program.layout.variables[index].q, tensors))
        p = _marked(run, index).probabilities(q)
        found[index] = p.reshape(*run.each.shape, -1, p.shape[-1])
    return found


def _marks(run: MainRun, index: int, shape: torch.Size) -> Float[Tensor, "*B D K"]:
    """1 at the state that the run has."""
    return _marked(run, index).marks(run.values[index][0]).reshape(shape)


def _others(run: MainRun, index: int, probabilities: Tensor) -> Float[Tensor, "*B D K"]:
    """0 at the state that the run has, and 1 at the others."""
    return 1 - _marks(run, index, probabilities.shape)


def _rates(run: MainRun, index: int, p: Tensor, slope: Tensor) -> Float[Tensor, "*B D K"]:
    """Those of leaving the state that the run has for each other."""
    here = _marks(run, index, p.shape)
    leaves = (here * slope).sum(-1, keepdim=True) / (here * p).sum(-1, keepdim=True)
    return (1 - here) * (slope - p * leaves).clamp(min=0)


def _side_by_side(each: dict[int, Tensor]) -> Float[Tensor, "*B A"]:
    """What all alternatives of all variables have."""
    return torch.cat([value.flatten(-2) for value in each.values()], -1)


def _followed_from(run: MainRun, weights: dict[int, Tensor], u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """1 at the alternative that is chosen, by how much the costs are larger there, and the sum of all weights."""
    chosen, total = _chosen(_side_by_side(weights), u)
    marks = chosen.split([weight.shape[-2:].numel() for weight in weights.values()], -1)
    each = zip(weights.items(), marks, strict=True)
    alternatives = {index: _moved(run, index, mark.reshape(weight.shape)) for (index, weight), mark in each}
    return chosen, _total(run, alternatives) - run.each.detach(), total


def _chosen(weights: Float[Tensor, "*B A"], u: Float[Tensor, "*B"]) -> tuple[Tensor, Tensor]:
    """1 at the alternative that is chosen, and the sum of the weights; at any where that is 0."""
    levels = weights.cumsum(-1)
    total = levels[..., -1]
    place = (levels < (u * total).unsqueeze(-1)).sum(-1, keepdim=True).clamp(max=weights.shape[-1] - 1)
    chosen = torch.zeros_like(weights).scatter(-1, place, 1.0)
    return chosen, total


def _moved(run: MainRun, index: int, goes_to: Float[Tensor, "*B D K"]) -> tuple[Tensor, Tensor]:
    """Whether a variable is the one that moves in a run, and its value then."""
    states, x = _marked(run, index), run.values[index][0]
    inner: Any = unwrap(run.program.layout.variables[index].q)
    marks = torch.where(goes_to.sum(-1, keepdim=True) > 0, goes_to, _marks(run, index, goes_to.shape))
    value = states.samples(inner, marks.argmax(-1).reshape(*run.each.shape, *inner.batch_shape))
    return goes_to.sum((-1, -2)) > 0, value.to(x.dtype)


def _replaced(q: Distribution, noise: Tensor, moves: Tensor, value: Tensor) -> Drawn:
    """The other value in the run in which the variable moves, and in others that of the noise."""
    return Drawn((torch.where(moves, value, fixed(q, noise).x),))


def _total(run: MainRun, alternatives: dict[int, tuple[Tensor, Tensor]]) -> Float[Tensor, "*B"]:
    """The costs of runs with one value replaced and the noise in common."""
    choices = [_replaced if index in alternatives else fixed for index in range(len(run.noise))]
    own = [(*noise, *alternatives.get(index, ())) for index, noise in enumerate(run.noise)]
    at = {name: value.detach() for name, value in run.params.items()}
    return torch.stack(run.program.runs(at, choices, own, run.program.layout.paid)).sum(0)
