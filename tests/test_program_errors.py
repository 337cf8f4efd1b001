"""What a program gets wrong, told in one line with its place: what is wrong and what to write instead."""

import pytest

from estimators.learning import least_variance
from estimators.noise import IID
from estimators.registry import load_plugin, make_estimator, make_problem
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


SIMULATOR = """
    b = sample("b", Normal(a.sum(), 1.0))
    served = float(np.square(a.numpy()).sum()) + abs(b.item())
    return served + int(served > 2)
"""


@pytest.mark.parametrize("spec", ["score-function:control_variate=optimal-baseline", "spsa", "finite-differences"])
def test_a_simulator_in_numpy_gets_plain_tensors(own_registry, tmp_path, monkeypatch, spec):
    monkeypatch.setattr(least_variance, "FIT_REPLICATES", 20)
    (tmp_path / "mine.py").write_text(HEAD.format(options="mapped=False, differentiable=False, ") + SIMULATOR)
    load_plugin(tmp_path / "mine.py")
    work = prepare(make_problem("mine"), make_estimator(spec), 2)
    assert work.chunk <= 2**9
    params = work.params(3)
    noise = work.draw(IID(0), 3)
    for found in (work.gradient(params, noise), work.estimator.gradient(work.problem, params, noise)):
        assert found["loc"].shape == (3, 3) and found["loc"].isfinite().all() and found["loc"].any()
