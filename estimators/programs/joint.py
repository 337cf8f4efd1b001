"""The joint distribution of all variables of a program: x is their values side by side, `[S, *B, D]`.

The batch B is `[R]`, and of a program with data points `[R, N]`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from estimators.interface.params import Params
from estimators.noise import IID, NoiseSource
from estimators.programs.apart import put_together, taken_apart
from estimators.programs.runs import fixed, form_of
from estimators.programs.sources import Together
from estimators.programs.variables import Variable
from estimators.sampling.families import unwrap
from estimators.sampling.family import Family, register_family
from estimators.sampling.transforms import Forms, Transform

if TYPE_CHECKING:
    from estimators.programs.program import Program

__all__ = ["Joint", "unflattened", "unknown"]


def unflattened(value: Tensor, batch: tuple[int, ...]) -> Tensor:
    """`[S, R·N, *]` as `[S, R, N, *]`: the very tensor that it was, if there is one, by which `once` knows it again."""
    found = value.unflatten(1, batch)
    if torch.compiler.is_compiling() or (before := value._base) is None or before.requires_grad != value.requires_grad:
        return found
    places = [(one.shape, one.stride(), one.storage_offset()) for one in (found, before)]
    return before if places[0] == places[1] else found


@final
class Joint(Distribution):
    """All variables of a program; event `[D]`. To sample it, and to ask for its density, is to run it.

    `flat`: the batch is `[R·N]` in place of `[R, N]`.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}  # pyright: ignore
    support = constraints.real_vector  # pyright: ignore

    def __init__(self, program: "Program", params: Params, flat: bool = False):
        self.program, self.params, self.flat = program, params, flat
        self.inner_batch = program.batch_of(params)
        batch = torch.Size([self.inner_batch.numel()]) if flat else self.inner_batch
        super().__init__(batch, torch.Size([program.layout.size]), validate_args=False)

    def flattened(self) -> "Joint":
        return Joint(self.program, self.params, True)

    def inwards(self, value: Tensor) -> Tensor:
        """`[S, *batch, *]` as the program has it."""
        return unflattened(value, self.inner_batch) if self.flat else value

    def outwards(self, value: Tensor) -> Tensor:
        """`[S, *B, *]` of the program as the distribution has it."""
        return value.flatten(1, 2) if self.flat else value

    @property
    def some(self) -> Tensor:
        """One of the parameters: in what dtype and on which device values are."""
        return next(iter(self.params.values()))

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.program.layout.variables

    def sample(self, sample_shape=()) -> Tensor:
        shape = torch.Size(sample_shape)
        source = IID(int(torch.randint(2**62, ())), self.some.device, self.some.dtype)
        form = JointForm(self.variables)
        x = form.values(self, form.noise(self, shape.numel(), source))
        return x.reshape(*shape, *x.shape[1:])

    def log_prob(self, value: Tensor) -> Tensor:
        shape = self.batch_shape + self.event_shape
        x = value if value.ndim == len(shape) + 1 else value.reshape(-1, *shape)  # known again as the same tensor
        return self.outwards(self.program.log_density(self.params, self.inwards(x))).reshape(value.shape[:-1])


@final
@dataclass(frozen=True)
class JointForm(Transform):
    """The values of all variables, each by its own form."""

    variables: tuple[Variable, ...]

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        return all(form_of(variable.q).differentiable for variable in self.variables)

    @property
    def explicit(self) -> bool:  # pyright: ignore
        return all(form_of(variable.q).explicit for variable in self.variables)

    @property
    def fixed_noise(self) -> bool:  # pyright: ignore
        return all(form_of(variable.q).fixed_noise for variable in self.variables)

    @property
    def structured(self) -> bool:  # pyright: ignore
        return all(form_of(variable.q).structured for variable in self.variables)

    @property
    def gaussian_noise(self) -> bool:  # pyright: ignore
        return all(form_of(variable.q).gaussian_noise for variable in self.variables)

    @torch.no_grad()
    def noise(self, q: Any, num_samples: int, source: NoiseSource) -> Tensor:
        if not isinstance(source, IID):
            dimensions = sum(variable.dimensions for variable in self.variables)
            source = Together(source, (num_samples, *q.inner_batch, dimensions))
        found: list[Tensor] = []
        for variable in self.variables:
            draw = _anew if form_of(variable.q).fixed_noise else _given_those_before
            found.append(draw(q, variable, found, num_samples, source))
        return q.outwards(q.program.layout.joined_noise(found, q.some))

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return q.outwards(q.program.moved_along(q.params, q.inwards(noise)))

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self.drawn(q, noise)[0]

    def drawn(self, q: Any, noise: Tensor) -> tuple[Tensor, ...]:
        return tuple(q.outwards(part) for part in q.program.drawn(q.params, q.inwards(noise)))

    def log_density(self, q: Any, *drawn: Tensor) -> Tensor:
        return q.outwards(q.program.log_density(q.params, *(q.inwards(part) for part in drawn)))


def unknown(variable: Variable, batch: torch.Size, device: torch.device) -> Distribution:
    """A distribution of the variable's kind and shape, with a batch, for noise that depends on no parameter."""
    tensors = [tensor.to(device).expand(*batch, *tensor.shape) for tensor in taken_apart(variable.q)]
    return put_together(variable.q, tensors, len(batch))


def _anew(q: Any, variable: Variable, before: list[Tensor], num_samples: int, source: NoiseSource) -> Tensor:
    return form_of(variable.q).noise(unwrap(unknown(variable, q.inner_batch, q.some.device)), num_samples, source)


def _given_those_before(
    q: Any, variable: Variable, before: list[Tensor], num_samples: int, source: NoiseSource
) -> Tensor:
    """Noise that depends on the parameters of the variable, and so on the variables before it."""
    conditional = q.program.conditional(q.params, [fixed] * len(before), [(noise,) for noise in before])
    samples = 1 if before else num_samples
    noise = form_of(conditional).noise(unwrap(conditional), samples, source)
    return noise.reshape(num_samples, *q.inner_batch, *variable.noise_shape)


def _forms(q: Any) -> Forms:
    return {"program": JointForm(q.variables)}


def _conditionals(q: Any) -> list[Distribution]:
    form = JointForm(q.variables)
    noise = q.program.layout.noise(q.inwards(form.noise(q, 1, IID(0, q.some.device, q.some.dtype))))
    return [q.program.conditional(q.params, [fixed] * index, noise[:index]) for index in range(len(noise))]


@register_family(Joint)
def joint() -> Family:
    return Family(forms=_forms, conditionals=_conditionals)
