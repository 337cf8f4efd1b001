"""Families: a distribution that a test or a plug-in makes known, and the folder in which each has its file."""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from estimators import IID, Family, Params, Problem, load_plugin, make_estimator, register_family
from estimators.interface import replicated
from estimators.registry import unload_plugin
from estimators.sampling import distributions, families, family
from estimators.sampling.family import registered_families
from estimators.sampling.standard_forms import by_quantile
from estimators.sampling.weak_derivatives import Pair, two_exponentials

REPLICATES, SCALE, RARE = 4000, 1.3, 4.0
"""A mean that is further off than RARE standard errors, at a fixed seed, is a fault."""


class Rayleigh(td.Distribution):
    """The length of two independent Gaussians, of which gradmark knows nothing."""

    arg_constraints = {"scale": td.constraints.positive}  # noqa: RUF012 # pyright: ignore
    support = td.constraints.positive  # pyright: ignore

    def __init__(self, scale: Tensor, validate_args: bool | None = None):
        self.scale = scale
        super().__init__(scale.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        return value.log() - 2 * self.scale.log() - (value / self.scale) ** 2 / 2

    def cdf(self, value: Tensor) -> Tensor:
        return -torch.expm1(-((value / self.scale) ** 2) / 2)


def rayleigh() -> Family:
    return Family(
        forms=by_quantile(lambda u: (-2 * u.log()).sqrt(), lambda q, z: q.scale * z),
        widened=lambda q, factor: Rayleigh(q.scale * factor),
        weak_derivatives={
            "scale": Pair(
                lambda q: 2 / q.scale,
                lambda q, e, more: q.scale * (2 * (e + more)).sqrt(),
                lambda q, e, more: q.scale * (2 * e).sqrt(),
                two_exponentials,
            )
        },
    )


@dataclass(frozen=True)
class MeanSquare(Problem):
    """f = x², whose mean is 2 scale²."""

    def initial_params(self) -> Params:
        return {"scale": torch.tensor([SCALE], dtype=torch.float64)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(Rayleigh(params["scale"]), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x**2).sum(-1)


@pytest.fixture(autouse=True)
def own_families(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is forgotten after it."""
    for table in ("_families", "_origins"):
        monkeypatch.setattr(family, table, dict(getattr(family, table)))
    yield


def source() -> IID:
    return IID(0, dtype=torch.float64)


@pytest.mark.parametrize("spec", ["pathwise", "score-function", "measure-valued", "importance-weighted:scale=1.1"])
def test_a_family_of_ones_own_goes_through_the_estimators(spec: str) -> None:
    register_family(Rayleigh)(rayleigh)
    problem, estimator = MeanSquare(), make_estimator(spec)
    assert estimator.unsupported(problem, 4) is None
    params = replicated(problem.initial_params(), REPLICATES)
    noise = estimator.draw(problem, params, 4, source())
    gradient = estimator.gradient(problem, params, noise)["scale"].squeeze(-1)
    error = gradient.std() / math.sqrt(REPLICATES)
    assert abs(gradient.mean() - 4 * SCALE) < RARE * error


def test_its_samples_and_their_derivatives() -> None:
    register_family(Rayleigh)(rayleigh)
    scale = torch.full((REPLICATES,), SCALE, dtype=torch.float64, requires_grad=True)
    q = Rayleigh(scale)
    noise = families.noise(q, 1, source())
    for form in ("inverse-cdf", "implicit"):
        x = families.sample(q, noise, form)
        (slope,) = torch.autograd.grad(x.sum(), scale)
        torch.testing.assert_close(slope, x.detach()[0] / SCALE)
        square = x.detach()[0] ** 2
        assert abs(square.mean() - 2 * SCALE**2) < RARE * square.std() / math.sqrt(REPLICATES)


def test_what_is_not_known_of_it_is_refused() -> None:
    measure_valued = make_estimator("measure-valued")
    assert measure_valued.unsupported(MeanSquare(), 4) == "no weak derivative of Rayleigh is known here"
    register_family(Rayleigh)(rayleigh)
    shifted = make_estimator("importance-weighted:proposal=shifted")
    assert shifted.unsupported(MeanSquare(), 4) == "there is no shifted proposal for Rayleigh"
    assert make_estimator("gumbel-softmax").unsupported(MeanSquare(), 4) == "there is no relaxation of Rayleigh"
    assert "not Rayleigh" in str(make_estimator("unordered-set").unsupported(MeanSquare(), 4))


def test_a_distribution_has_one_family() -> None:
    register_family(Rayleigh)(rayleigh)
    register_family(Rayleigh)(rayleigh)  # the same again, as of a module that is loaded again

    def another() -> Family:
        return rayleigh()

    with pytest.raises(ValueError, match=r"family of Rayleigh is registered already, by rayleigh in \S*test_families"):
        register_family(Rayleigh)(another)
    with pytest.raises(ValueError, match=r"family of Gamma is registered already, by gamma in \S*gamma\.py"):
        register_family(td.Gamma)(rayleigh)


def test_what_is_no_family_is_refused() -> None:
    with pytest.raises(TypeError, match="a subclass of torch's Distribution, which MeanSquare is not"):
        register_family(MeanSquare)
    with pytest.raises(ValueError, match="a family needs at least one form"):
        Family(forms={})


FILE = """
    import torch.distributions as td

    from estimators import Family, register_family
    from estimators.sampling.distributions.categorical import quantile
    from estimators.sampling.transforms import Discrete

    class Mine(td.Categorical):
        pass

    @register_family(Mine)
    def mine() -> Family:
        return Family(forms={"mine": Discrete(quantile)})

    @register_family(td.Cauchy)
    def cauchy() -> Family:
        return Family(forms={"mine": Discrete(quantile)})
"""


def test_a_file_in_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_this_test.py").write_text(dedent(FILE))
    monkeypatch.setattr(distributions, "__path__", [*distributions.__path__, str(tmp_path)])
    name = "estimators.sampling.distributions.of_this_test"
    assert name in distributions.register_all()
    del sys.modules[name]
    assert td.Cauchy in registered_families() and "Mine" in {kind.__name__ for kind in registered_families()}


def test_a_plug_in_registers_a_family_and_takes_it_away_again(tmp_path: Path) -> None:
    path, other = tmp_path / "first.py", tmp_path / "second.py"
    for file in (path, other):
        file.write_text(dedent(FILE))
    load_plugin(path)
    load_plugin(path)
    assert list(families.forms(td.Cauchy(torch.zeros(3), torch.ones(3)))) == ["mine"]
    with pytest.raises(ValueError, match=r"the family of Cauchy is registered already, by cauchy in \S*first\.py"):
        load_plugin(other)
    unload_plugin(path)
    assert td.Cauchy not in registered_families()
    load_plugin(other)


@pytest.mark.parametrize("name", distributions.register_all())
def test_each_file_of_the_folder_registers_a_distribution(name: str) -> None:
    before = registered_families()
    family.forget_families(str(Path(distributions.__path__[0]) / f"{name.rpartition('.')[2]}.py"))
    assert len(registered_families()) < len(before)
