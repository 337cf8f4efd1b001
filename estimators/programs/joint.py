"""The joint distribution of all variables of a program: x is their values side by side, `[S, R, D]`."""

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

__all__ = ["Joint", "unknown"]


@final
class Joint(Distribution):
    """All variables of a program; batch `[R]`, event `[D]`. To sample it, and to ask for its density, is to run it."""

    arg_constraints: ClassVar[dict[str, Any]] = {}  # pyright: ignore
    support = constraints.real_vector  # pyright: ignore

    def __init__(self, program: "Program", params: Params):
        self.program, self.params = program, params
        batch, event = len(next(iter(params.values()))), program.layout.size
        super().__init__(torch.Size([batch]), torch.Size([event]), validate_args=False)

    @property
    def some(self) -> Tensor:
        """One of the parameters: in what dtype and on which device values are."""
        return next(iter(self.params.values()))

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.program.layout.variables

    def sample(self, sample_shape=()) -> Tensor:
        some = next(iter(self.params.values()))
        source, shape = IID(int(torch.randint(2**62, ())), some.device, some.dtype), torch.Size(sample_shape)
        form = JointForm(self.variables)
        x = form.values(self, form.noise(self, shape.numel(), source))
        return x.reshape(*shape, *x.shape[1:])

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.reshape(-1, *self.batch_shape, *self.event_shape)
        return self.program.log_density(self.params, x).reshape(value.shape[:-1])


@final
@dataclass(frozen=True)
class JointForm(Transform):
    """The values of all variables, each by its own form."""

    variables: tuple[Variable, ...]

    @property
    def differentiable(self) -> bool:  # pyright: ignore
        return all(form_of(variable.q).differentiable for variable in self.variables)

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
            source = Together(source, num_samples, len(q.some), dimensions)
        found: list[Tensor] = []
        for variable in self.variables:
            draw = _anew if form_of(variable.q).fixed_noise else _given_those_before
            found.append(draw(q, variable, found, num_samples, source))
        return q.program.layout.joined_noise(found, q.some)

    def sample(self, q: Any, noise: Tensor) -> Tensor:
        return q.program.moved_along(q.params, noise)

    def values(self, q: Any, noise: Tensor) -> Tensor:
        return self.drawn(q, noise)[0]

    def drawn(self, q: Any, noise: Tensor) -> tuple[Tensor, ...]:
        return q.program.drawn(q.params, noise)

    def log_density(self, q: Any, *drawn: Tensor) -> Tensor:
        return q.program.log_density(q.params, *drawn)


def unknown(variable: Variable, params: Params) -> Distribution:
    """A distribution of the variable's kind and shape, with the batch `[R]`, for noise that depends on no parameter."""
    some = next(iter(params.values()))
    tensors = [tensor.to(some.device).expand(len(some), *tensor.shape) for tensor in taken_apart(variable.q)]
    return put_together(variable.q, tensors)


def _anew(q: Any, variable: Variable, before: list[Tensor], num_samples: int, source: NoiseSource) -> Tensor:
    return form_of(variable.q).noise(unwrap(unknown(variable, q.params)), num_samples, source)


def _given_those_before(
    q: Any, variable: Variable, before: list[Tensor], num_samples: int, source: NoiseSource
) -> Tensor:
    """Noise that depends on the parameters of the variable, and so on the variables before it."""
    conditional = q.program.conditional(q.params, [fixed] * len(before), [(noise,) for noise in before])
    samples = 1 if before else num_samples
    noise = form_of(conditional).noise(unwrap(conditional), samples, source)
    return noise.reshape(num_samples, *q.batch_shape, *variable.noise_shape)


def _forms(q: Any) -> Forms:
    return {"program": JointForm(q.variables)}


def _conditionals(q: Any) -> list[Distribution]:
    form = JointForm(q.variables)
    noise = q.program.layout.noise(form.noise(q, 1, IID(0, q.some.device, q.some.dtype)))
    return [q.program.conditional(q.params, [fixed] * index, noise[:index]) for index in range(len(noise))]


@register_family(Joint)
def joint() -> Family:
    return Family(forms=_forms, conditionals=_conditionals)
