# pyright: reportArgumentType=false, reportCallIssue=false, reportIncompatibleMethodOverride=false
"""What a distribution says of itself is tried before it is claimed; what fails is refused with its reason."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import IID, Params, Problem, make_estimator
from estimators.interface import Unsupported, replicated
from experiments import measure
from experiments.gradients.prepare import prepare
from experiments.measuring import long_run
from experiments.measuring.reference import Reference

REPLICATES = 100_000
DTYPES = [torch.float32, torch.float64]


@dataclass(frozen=True)
class GammaMixture(Problem):
    """Two kinds of waiting times, f = log(1 + x)."""

    def initial_params(self) -> Params:
        return {"logits": torch.zeros(2), "log_shape": torch.tensor([0.0, 1.0])}

    def distribution(self, params: Params) -> td.Distribution:
        shape = params["log_shape"].exp()
        return td.MixtureSameFamily(td.Categorical(logits=params["logits"]), td.Gamma(shape, torch.ones_like(shape)))

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return x.log1p()


@dataclass(frozen=True)
class ColdGate(Problem):
    """A nearly hard gate, f = (x − 0.45)²."""

    logit: float = 0.0

    def initial_params(self) -> Params:
        return {"logit": torch.tensor(self.logit)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.RelaxedBernoulli(params["logit"].new_tensor(0.05), logits=params["logit"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x - 0.45) ** 2


@dataclass(frozen=True)
class Number(Problem):
    """A number of any distribution of two parameters, f = x²."""

    make: Callable[[Tensor, Tensor], td.Distribution]

    def initial_params(self) -> Params:
        return {"a": torch.tensor(0.4), "b": torch.tensor(1.3)}

    def distribution(self, params: Params) -> td.Distribution:
        return self.make(params["a"], params["b"])

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x**2).flatten(2).sum(-1) if x.ndim > 2 else x**2


def mean_gradient(spec: str, problem: Problem, dtype: torch.dtype = torch.float64) -> dict[str, tuple[Tensor, Tensor]]:
    """The mean gradient in each parameter, and its standard error."""
    estimator, moved = make_estimator(spec), problem.to("cpu", dtype)
    assert estimator.unsupported(moved, 1) is None
    params = {name: value.to(dtype) for name, value in replicated(problem.initial_params(), REPLICATES).items()}
    found = estimator.gradient(moved, params, estimator.draw(moved, params, 1, IID(0, dtype=dtype)))
    return {name: (each.mean(0), each.std(0) / math.sqrt(REPLICATES)) for name, each in found.items()}


def agrees(found: tuple[Tensor, Tensor], exact: list[float] | float) -> bool:
    mean, error = found
    return bool(((mean - torch.tensor(exact).to(mean)).abs() < 4 * error + 1e-6).all())


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mixture_whose_distribution_function_has_no_derivative(dtype: torch.dtype) -> None:
    problem = GammaMixture()
    for spec in ("pathwise", "pathwise:form=implicit", "score-function:control_variate=lax"):
        reason = make_estimator(spec).unsupported(problem.to("cpu", dtype), 4)
        assert reason is not None and "derivative for 'igamma: input' is not implemented" in reason
        assert f"cannot be differentiated in {str(dtype).removeprefix('torch.')}" in reason
    found = mean_gradient("score-function", problem, dtype)
    assert agrees(found["logits"], [-0.156404, 0.156404]) and agrees(found["log_shape"], [0.239615, 0.380769])


def test_a_candidate_that_fails_is_left_out_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_run, "ELEMENTS", 2**18)
    found = long_run.measured_gradient(prepare(GammaMixture(), make_estimator("score-function"), 4))
    assert isinstance(found, Reference)
    error = found.groups.std(0, ddof=1) / math.sqrt(len(found.groups))
    assert (abs(found.gradient - [-0.156404, 0.156404, 0.239615, 0.380769]) < 4 * error).all()


def test_a_sampler_that_cannot_be_differentiated() -> None:
    """torch's own writes into what its backward pass needs."""
    wishart = Number(lambda a, b: td.Wishart(b + 4, torch.eye(2).to(a) * a[..., None, None]))
    reason = make_estimator("pathwise").unsupported(wishart, 4)
    assert reason is not None and reason.startswith("samples of Wishart cannot be differentiated in float32")
    assert make_estimator("score-function").unsupported(wishart, 4) is None


def test_a_density_that_fails_in_one_dtype_is_refused_in_that() -> None:
    """torch's compares with a constant of float32."""
    problem = Number(lambda a, b: td.GeneralizedPareto(torch.zeros_like(a), b, -(1 - a) / 2 + 0.4))
    score, pathwise = make_estimator("score-function"), make_estimator("pathwise")
    assert score.unsupported(problem.to("cpu", torch.float32), 4) is None
    reason = score.unsupported(problem.to("cpu", torch.float64), 4)
    assert reason == "the density of GeneralizedPareto cannot be differentiated in float64: Double did not match Float"
    assert all(pathwise.unsupported(problem.to("cpu", dtype), 4) is None for dtype in DTYPES)
    with pytest.raises(Unsupported, match="in float64"):
        measure(problem, score, 4, replicates=64, dtype="float64")


@pytest.mark.parametrize(("logit", "exact"), [(-5.0, 0.000338), (0.0, 0.024949)])
def test_the_sampler_of_a_relaxed_bit_is_differentiable(logit: float, exact: float) -> None:
    """Its base has an `rsample`, and does not say so."""
    (mean, error) = mean_gradient("pathwise", ColdGate(logit))["logit"]
    assert abs(mean - exact) < 4 * error + 5e-7


class LosesItsScale(td.Normal):
    def rsample(self, sample_shape=()) -> Tensor:
        return self.loc + self.scale.detach() * torch.randn(self._extended_shape(torch.Size(sample_shape))).to(self.loc)


class LosesAll(td.Normal):
    def rsample(self, sample_shape=()) -> Tensor:
        return super().rsample(torch.Size(sample_shape)).detach()


@pytest.mark.parametrize(("kind", "names"), [(LosesItsScale, "b"), (LosesAll, "a, b")])
def test_samples_that_lose_a_parameter_are_refused(kind: type[td.Normal], names: str) -> None:
    reason = make_estimator("pathwise").unsupported(Number(kind), 4)
    assert reason == f"samples of {kind.__name__} have no derivative in {names}, on which its density depends"


def test_a_distribution_without_parameters_has_nothing_to_lose() -> None:
    problem = Number(lambda a, b: td.Uniform(torch.zeros_like(a), torch.ones_like(a)))
    for spec in ("pathwise", "score-function", "score-function:control_variate=leave-one-out"):
        assert make_estimator(spec).unsupported(problem, 4) is None
