"""`gradmark rank --pyro`: a model and a guide by the modules that have them."""

import sys

import pytest

MODEL = """
import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints

flips = torch.tensor([1.0, 1.0, 0.0])
number = 3


def model(flips):
    fairness = pyro.sample("fairness", dist.Beta(10.0, 10.0))
    with pyro.plate("flips", len(flips)):
        pyro.sample("flip", dist.Bernoulli(fairness), obs=flips)


def guide(flips):
    alpha = pyro.param("alpha", torch.tensor(15.0), constraint=constraints.positive)
    pyro.sample("fairness", dist.Beta(alpha, 10.0))
"""


@pytest.fixture
def coin(tmp_path, monkeypatch):
    """The name of a module in the working folder, which no other test has imported."""
    name = f"coin_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return name


def test_without_pyro_a_line_says_what_to_install(gradmark, coin, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyro", None)
    assert gradmark("rank", "--pyro", f"{coin}:model,guide,flips") == (
        2,
        "",
        "gradmark: Pyro is not installed: pip install 'gradmark[pyro]'\n",
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "give one problem"),
        (("random-walk", "--pyro", "coin:model,guide"), "give one problem"),
        (("--pyro", "model,guide"), "'model' names no module"),
        (("--pyro", "no_such_module:model,guide"), "there is no module 'no_such_module'"),
        (("--pyro", "no_such_file.py:model,guide"), "there is no module 'no_such_file.py'"),
        (("--pyro", "math:sin"), "a model and a guide"),
        (("--pyro", "math:sin,sine"), "math has no 'sine'"),
        (("--pyro", "math:sin,pi"), "the guide is a float"),
    ],
)
def test_what_is_wrong_with_the_names_is_said_in_a_line(gradmark, arguments, said):
    code, out, err = gradmark("rank", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err


@pytest.mark.slow
def test_a_model_and_a_guide_are_ranked(gradmark, coin):
    pytest.importorskip("pyro")
    code, out, _ = gradmark("rank", "--pyro", f"{coin}.py:model,guide,flips", "--seconds", "40")
    assert code == 0 and out.startswith("pyro-model, num_samples = 10") and "pathwise" in out
