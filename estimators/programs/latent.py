"""Programs whose variables are latent: the negative evidence lower bound of data points, and bounds of K samples."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution

from estimators.interface import LatentVariableProblem, Params, Problem, ScoredSamples, start
from estimators.programs.credit import costs_to_go
from estimators.programs.faults import ProgramError, explained
from estimators.programs.program import Program
from estimators.programs.rows import apart, first_row, paths_of_a_row
from estimators.programs.variables import Layout, fixed_run
from estimators.programs.visits import Trace
from estimators.sampling import families

__all__ = ["LatentProgram"]


class LatentProgram(LatentVariableProblem, Program):
    """A program for one data point, all of whose variables are latent: drawn from q, with a prior p.

        @register_problem("autoencoder")
        @dataclass(frozen=True)
        class Autoencoder(LatentProgram):
            observation: Tensor = field(init=False, repr=False, compare=False)  # [N, X]

            def run(self, params, sample, x):
                z = sample("z", Normal(x @ params["to_z"], 0.5), prior=Normal(0.0, 1.0))
                return -Bernoulli(logits=z @ params["to_x"]).log_prob(x).sum()

    The cost of a sample is $\\log q(z | x) - \\log p(x, z)$, summed over the data points: log q is paid by itself, so
    is −log p of a variable whose prior is known when it is drawn, and `run` yields or returns the rest of −log p(x, z).
    Of a program without data, which has no `observation`, there is one point, and `run` has no x.

    Which parameters are those of q, and which the model's, is seen in a run; a tuple of names `encoder` says otherwise.
    """

    cost_depends_on_params: ClassVar[bool] = True  # pyright: ignore
    encoder: ClassVar[Any] = None
    """The names of the parameters of q, a tuple; anything else, such as a module of that name, says nothing of them."""
    observation: Tensor = torch.zeros(1, 0, dtype=torch.float64)
    """The data, `[N, X]`, a row for each point."""

    @abstractmethod
    def run(self, params: Any, sample: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """One run for a data point x `[X]`, `run(self, params, sample, x)`: see `Program.run`."""

    @property
    def mapped_data(self) -> Tensor:
        return self.observation

    @property
    def first_point(self) -> tuple[Tensor, ...]:
        first = first_row(self.observation, "observation", "[N, X]", " data point")
        return (first,) if len(first) else ()

    @property
    def num_data(self) -> int:
        return super().num_data if self.observation.shape[-1] else 0

    def batch(self, indices: Shaped[Tensor, "R B"]) -> LatentVariableProblem:
        return super().batch(indices) if self.num_data else Problem.batch(self, indices)  # pyright: ignore

    def batch_of(self, params: Params) -> torch.Size:
        return torch.Size([len(next(iter(params.values()))), self.observation.shape[-2]])

    def weighed(self, each: Tensor) -> Tensor:
        return self.data_weight * each

    def of_samples(self, each: Float[Tensor, "S R N"]) -> Float[Tensor, "S R"]:
        return self.weighed(each.sum(-1))

    def of_variables(self, each: Float[Tensor, "S V R N"]) -> Float[Tensor, "S W R"]:
        """Each variable of each data point is one of its own."""
        return apart(each)

    def checked(self, layout: Layout) -> Layout:
        for variable in layout.variables:
            if not variable.latent:
                name = variable.name
                raise ProgramError(
                    f'the variable "{name}" has no prior: write sample("{name}", q, prior=p), or prior="later" where '
                    "-log p is yielded later"
                )
        return replace(layout, of_q=self._of_q())

    @property
    def encoder_names(self) -> Collection[str]:
        return self.layout.of_q

    def _of_q(self) -> tuple[str, ...]:
        """The parameters that log q depends on at fixed values. ProgramError: another cost depends on them, too."""
        if isinstance(self.encoder, tuple):
            return self.encoder
        params = start(self)
        try:
            trace, leaves = fixed_run(self.run, params, self.first_point)
        except Exception as error:
            raise explained(error, self.run, params, self.first_point) from error
        of_q, of_model = (_reached(terms, leaves) for terms in ([v.log_density() for v in trace.visits], trace.costs))
        if both := [name for name in of_q if name in of_model]:
            raise ProgramError(
                f'the parameter "{both[0]}" is in q, and in the costs at fixed values, where log q has no place: it is '
                'paid by itself; where both share a parameter say encoder = ("its name", …)'
            )
        return tuple(of_q)

    @final
    def posterior(self, params: Params) -> Distribution:
        return self.of_all(params)

    def log_joint(self, z: Tensor, params: Params) -> Float[Tensor, "S R N"]:
        # Of several variables log q comes from the same runs, and is asked for next.
        costs = self.each_cost(z, params) if self.layout.alone else self.scored(params, z)[1]
        return -torch.stack(costs).sum(0)

    def costs_of(self, trace: Trace) -> tuple[Tensor, ...]:
        """The terms of −log p(x, z): log q is known from q."""
        self.layout.check(trace)
        return tuple(trace.costs)

    @final
    def credits(self, samples: families.Drawn, params: Params) -> tuple[Tensor, Tensor] | None:
        if self.layout.alone:
            return None
        densities, costs = self.scored(params, *samples.parts)
        credit = costs_to_go((*costs, *densities), self.layout.known_after, len(densities)).transpose(0, 1)
        return credit, torch.stack(densities, 1)

    def _credits(self, samples: ScoredSamples) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        found = self.credits(samples.drawn, samples.params)
        if found is None:
            alone = self.log_q(samples.drawn, samples.params).unsqueeze(1)
            found = alone.detach() - self.log_joint(samples.x, samples.params).detach().unsqueeze(1), alone
        return *found, tuple(range(len(self.layout.variables)))

    def support(self, params: Params) -> Tensor | None:
        """None: not those of all data points together."""
        return None

    def summed_states(self, params: Params) -> Tensor | None:
        """All paths of one data point, `[K, R, N, D]`, where there are few enough."""
        return paths_of_a_row(self, params)

    def _sum_over(self, states: Tensor, params: Params) -> Float[Tensor, " R"]:
        return self.sum_over_points(states, params)


def _reached(terms: Collection[Tensor], leaves: Params) -> list[str]:
    """The parameters that terms depend on."""
    connected = [term for term in terms if term.requires_grad]
    if not connected:
        return []
    slopes = torch.autograd.grad(connected, list(leaves.values()), allow_unused=True, retain_graph=True)
    return [name for name, slope in zip(leaves, slopes, strict=True) if slope is not None]
