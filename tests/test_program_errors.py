"""What a program gets wrong, told in one line with its place: what is wrong and what to write instead."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from measurements import estimated, work
from torch.distributions import Categorical, MultivariateNormal, Normal

from estimators import Program
from estimators.learning import fresh_samples
from estimators.noise import IID
from estimators.programs import ProgramError
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare

HEAD = """import numpy as np
import torch
from torch.distributions import Cauchy, Normal

from estimators import register_program

@register_program("mine", {options}loc=torch.zeros(3))
def mine(params, sample):
    a = sample("a", Normal(params["loc"], 1.0))
"""
ALONE = "or set mapped = False"
LINE = HEAD.count("\n") + 1
MISTAKES = {
    '    return sample("a", Normal(a, 1.0)).sum()': ('the variable "a" is asked for twice', LINE),
    "    return a**2": ("a cost is one number, for one sample, not a tensor [3]: reduce it", LINE - 3),
    "    a.sum()": ("the program has no cost: return one number", LINE - 3),
    '    return {"cost": a.sum()}': ("a cost is one number, not a dict", LINE - 3),
    '    return sample("b", Cauchy(a, 1.0)).sum()': ("Cauchy has no sampler that takes noise", LINE),
    '    return sample("b", a).sum()': ('sample("b", …) needs a torch distribution, not Tensor', LINE),
    "    return sample(Normal(a, 1.0)).sum()": ('a variable has a name: write sample("x", Normal(…))', LINE),
    "    return (a * torch.ones(4)).sum()": ("the program fails: The size of tensor a (3) must match the size", LINE),
    '    return (a - params["lok"]).sum()': ("there is no parameter 'lok'; did you mean 'loc'?", LINE),
    "    return (a - mu).sum()": ("the program fails: NameError: name 'mu' is not defined", LINE),
    "    return torch.ones(3, 3) @ a": ("something has another dtype", LINE),
    "    state = torch.zeros(3)\n    state += a\n    return state.sum()": ("write state = state + …", LINE + 1),
    "    state = 0\n    state += a\n    cost = state**2\n    state += 1\n    return cost.sum()": (
        "writes into a tensor that a derivative needs: write state = state + …",
        LINE - 3,
    ),
    '    params["loc"] += a\n    return a.sum()': ("write state = state + …", LINE),
    "    if a[0] > 0:\n        return a.sum()\n    return -a.sum()": (f"write torch.where(…), {ALONE}", LINE),
    "    return float(a[0]) ** 2": (f"leave out .item(), float(…), {ALONE}", LINE),
    "    return np.sum(a.detach().numpy())": (f"use torch, {ALONE}", LINE),
    '    return sample("b", Normal(a, 1.0), state="here").sum()': (
        'the state before "b" is made of tensors and numbers, not of a str',
        LINE,
    ),
    "    return (a + torch.randn(3)).sum()": ("ask for each by sample(name, q)", LINE),
}
ONE_BY_ONE = {
    '    if a[0] > -0.5:\n        a = sample("b", Normal(a, 1.0))\n    return a.sum()': '"b" is not asked for',
    '    a = a[: 2 if a[0] > 0 else 3]\n    return sample("b", Normal(a, 1.0)).sum()': '"b" has another shape',
    '    return sample("b", Normal(a, 1.0), state=a[: 2 if a[0] > 0 else 3]).sum()': 'the state before "b" has another',
    "    yield a[0]\n    if a[0] > 0:\n        yield a[1]": "the costs are not known at the same turn in every run",
    "    yield np.sum(a.numpy())": "write .detach().numpy()",
}


def refused(gradmark, tmp_path, text: str) -> str:
    (tmp_path / "mine.py").write_text(f"{text}\n")
    code, out, err = gradmark("check", "score-function", "-p", "mine.py")
    assert (code, out, err.count("\n")) == (2, "", 1) and "Traceback" not in err
    return err


@pytest.mark.parametrize("lines", MISTAKES)
def test_a_mistake_is_told_with_its_line(gradmark, tmp_path, lines):
    words, line = MISTAKES[lines]
    told = refused(gradmark, tmp_path, HEAD.format(options="") + lines)
    assert words in told and f" (mine.py:{line})" in told


@pytest.mark.parametrize("lines", ONE_BY_ONE)
def test_a_mistake_of_runs_one_by_one(gradmark, tmp_path, lines):
    assert ONE_BY_ONE[lines] in refused(gradmark, tmp_path, HEAD.format(options="mapped=False, ") + lines)


def test_what_is_no_run_is_told(gradmark, tmp_path):
    told = refused(
        gradmark, tmp_path, HEAD.format(options="").replace("(params, sample)", "(params)") + "    return 1.0"
    )
    assert "it is called as run(params, sample)" in told


@pytest.mark.parametrize("line", ["layout: int = 3", "runs = torch.zeros(3)", "def cost(self, x, params): ..."])
def test_a_name_that_a_program_uses_itself_is_refused(gradmark, tmp_path, line):
    (tmp_path / "mine.py").write_text(OF_A_CLASS.format(line=line))
    code, out, err = gradmark("check", "score-function", "-p", "mine.py")
    name = line.partition("(")[0].removeprefix("def ").partition(" ")[0].rstrip(":")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f'Mine has an attribute "{name}", which every program has for its own use: give it another name' in err


OF_A_CLASS = """from dataclasses import dataclass

import torch

from estimators import Program, register_problem


@register_problem("mine")
@dataclass(frozen=True)
class Mine(Program):
    {line}
"""


@dataclass(frozen=True)
class Simulator(Program):
    mapped: ClassVar[bool] = False
    differentiable: ClassVar[bool] = False
    calls: ClassVar[list[int]] = []

    def initial_params(self):
        return {"loc": torch.zeros(3)}

    def run(self, params, sample):
        self.calls.append(1)
        a = sample("a", Normal(params["loc"], 1.0))
        b = sample("b", Normal(a.sum(), 1.0))
        served = float(np.square(a.numpy()).sum()) + abs(b.item())
        return served + int(served > 2)


SIMULATED = {  # how often one gradient calls it for each evaluation, and what was learned before it
    "score-function": (1, 0),
    "score-function:control_variate=moving-average": (1, fresh_samples.FIT_CALLS),
    "score-function:control_variate=optimal-baseline": (2, 2 * fresh_samples.FIT_CALLS),  # each sample's own score
    "spsa": (1, 0),
    "finite-differences": (1, 0),
}


@pytest.mark.parametrize("spec", SIMULATED)
def test_a_simulator_in_numpy_gets_plain_tensors_and_is_called_seldom(spec):
    made, estimator, calls = Simulator(), make_estimator(spec), Simulator.calls
    calls.clear()
    workload = prepare(made, estimator, 2)
    each, learning = SIMULATED[spec]
    assert learning <= len(calls) <= learning + 150 and workload.chunk <= 2**9
    params = workload.params(3)
    noise = workload.draw(IID(0), 3)
    calls.clear()
    found = workload.gradient(params, noise)
    assert len(calls) == 3 * each * estimator.evaluations(made, 2)
    for gradient in (found, workload.estimator.gradient(workload.problem, params, noise)):
        assert gradient["loc"].shape == (3, 3) and gradient["loc"].isfinite().all() and gradient["loc"].any()


@dataclass(frozen=True)
class Scales(Program):
    """A scale that is negative in some samples."""

    def initial_params(self):
        return {"loc": torch.tensor(2.5)}

    def run(self, params, sample):
        scale = sample("scale", Normal(params["loc"], 1.0))
        return sample("x", Normal(0.0, scale)) ** 2


def test_an_argument_that_is_out_of_its_range_in_some_samples():
    with pytest.raises(ProgramError, match=r"the scale of Normal is out of its range in some samples, .* GreaterThan"):
        make_estimator("score-function").loss(Scales(), Scales().initial_params(), num_samples=10_000)


@dataclass(frozen=True)
class Covariances(Program):
    """A covariance matrix, whose check cannot be mapped, depends on the sample."""

    def initial_params(self):
        return {"loc": torch.zeros(2), "log_scale": torch.tensor(0.1)}

    def run(self, params, sample):
        z = sample("z", Normal(params["loc"], 1.0))
        covariance = params["log_scale"].exp() * torch.eye(2).to(z) + z.outer(z)
        return (sample("x", MultivariateNormal(z, covariance)) ** 2).sum()

    def expected_cost(self, params):
        return 2 * (params["loc"] ** 2).sum(-1) + 4 + 2 * params["log_scale"].exp()


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_a_covariance_matrix_is_checked_where_that_can_be_mapped():
    assert estimated(work("pathwise", Covariances(), 8), replicates=6400).verdict != "biased"
    params = {name: value.requires_grad_() for name, value in Covariances().initial_params().items()}
    make_estimator("pathwise").loss(Covariances(), params, num_samples=4).backward()


@dataclass(frozen=True)
class Indices(Program):
    """Integers have no derivative: nobody has to say so."""

    def initial_params(self):
        return {"logits": torch.arange(3.0)}

    def run(self, params, sample):
        first = sample("first", Categorical(logits=params["logits"]))
        second = sample("second", Categorical(logits=params["logits"] * first))
        return torch.arange(9).reshape(3, 3).to(params["logits"])[first, second]


def test_a_program_of_integers_is_measured():
    found = estimated(work("score-function:control_variate=leave-one-out", Indices(), 4), replicates=6400)
    assert found.verdict != "biased" and found.total_variance.value > 0
