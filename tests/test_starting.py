"""Where a problem begins: at given parameters, after steps of training, at what a user has saved."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from test_check import PROBLEM, plugin
from test_reference import Square
from torch import Tensor, nn
from torch.distributions import Independent

from estimators import Problem, Unsupported, make_estimator, make_problem, replicated, started_at
from estimators.modules import ReplicatedModule
from estimators.noise import IID, derive_seed
from experiments import measure, started_after, started_from
from experiments.gradients.prepare import prepare
from experiments.machine.caching import cache_folder
from experiments.measuring.reference_files import key_of
from experiments.problems import trained_start

QUADRATIC = "gaussian-quadratic:dim=2"
ELSEWHERE = {"loc": torch.tensor([3.0, -1.0]), "log_scale": torch.tensor([0.5, -0.5])}
VAE = "digits-vae:hidden=3,latent=2,points=3"


def test_gradients_are_measured_where_it_begins() -> None:
    problem, own = started_at(make_problem(QUADRATIC), ELSEWHERE), make_problem(QUADRATIC)
    found = measure(problem, make_estimator("pathwise"), 4, replicates=2_000)
    exact = own.exact_gradient(replicated({name: value.double() for name, value in ELSEWHERE.items()}, 1))
    assert exact is not None and found.reference_gradient is not None and found.problem == problem.spec
    for name, value in exact.items():
        torch.testing.assert_close(torch.from_numpy(found.reference_gradient[name]), value[0])
        error = (torch.from_numpy(found.variance[name]) / found.replicates) ** 0.5
        assert ((torch.from_numpy(found.mean[name]) - value[0]).abs() < 4.5 * error + 1e-9).all()


def posterior_mean(problem: Problem) -> Tensor:
    found = problem.initial_distribution
    assert isinstance(found, Independent)
    return found.base_dist.mean


def test_it_says_so_and_stays_there_when_it_is_moved() -> None:
    own = make_problem(VAE)
    before = posterior_mean(own)
    point = {name: value + 1 for name, value in own.initial_params().items()}
    begun = started_at(own, point, "at one more")
    assert (begun.spec, own.spec) == (f"{VAE}, at one more", VAE)
    moved = begun.to("cpu", torch.float32).batch(torch.zeros(2, 1, dtype=torch.long))
    for problem in (begun, moved, begun.on_least_data):
        assert problem.spec == begun.spec
        assert all(torch.equal(value, point[name]) for name, value in problem.initial_params().items())
    begun.initial_params().clear()
    assert begun.initial_params().keys() == point.keys()
    assert posterior_mean(begun).ne(before).all()


def test_references_of_two_points_are_kept_apart() -> None:
    own = make_problem(QUADRATIC)
    points = [own, started_at(own, ELSEWHERE), started_at(own, {name: 2 * value for name, value in ELSEWHERE.items()})]
    assert len({key_of(prepare(problem, make_estimator("pathwise"), 4)) for problem in points}) == 3


WRONG = {
    "missing there: log_scale": {"loc": torch.zeros(2)},
    "unknown there: bias": ELSEWHERE | {"bias": torch.zeros(2)},
    r"loc must be \[2\], not \[3\]": ELSEWHERE | {"loc": torch.zeros(3)},
    "loc is not finite there": ELSEWHERE | {"loc": torch.full((2,), torch.nan)},
}


@pytest.mark.parametrize("said", WRONG)
def test_other_parameters_are_refused_in_a_line(said: str) -> None:
    with pytest.raises(ValueError, match=f"{QUADRATIC} cannot begin at given parameters: {said}") as told:
        started_at(make_problem(QUADRATIC), WRONG[said])
    assert "\n" not in str(told.value)


def test_training_steps_are_those_of_a_loop_by_hand() -> None:
    problem, estimator = make_problem(QUADRATIC).to("cpu", torch.float32), make_estimator("pathwise")
    params = {name: value.float().requires_grad_() for name, value in problem.initial_params().items()}
    optimiser, source = torch.optim.Adam(params.values(), lr=3e-3), IID(derive_seed(QUADRATIC, "training"))
    for _ in range(10):
        optimiser.zero_grad()
        estimator.loss(problem, params, 4, source).backward()
        optimiser.step()
    begun = started_after(make_problem(QUADRATIC), 10)
    assert begun.spec == f"{QUADRATIC}, after 10 steps"
    for name, value in begun.initial_params().items():
        torch.testing.assert_close(value, params[name].detach().double())


@pytest.mark.parametrize("spec", [VAE, "digits-sbn:latent=2,points=3", "bandit-policy", "gaussian-step:dim=2"])
def test_some_steps_lower_the_cost(spec: str) -> None:
    own = make_problem(spec)
    before, after = (
        problem.evaluate(replicated(problem.initial_params(), 1), IID(0, dtype=torch.float64))["objective"]
        for problem in (own, started_after(own, 60))
    )
    assert after < before


def test_what_was_trained_is_kept_under_all_that_defines_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path))
    started_after(make_problem(QUADRATIC), 3)
    (file,) = (cache_folder() / "checkpoints").iterdir()
    trained = trained_start._trained
    monkeypatch.setattr(trained_start, "_trained", lambda *_: pytest.fail("trained again"))
    started_after(make_problem(QUADRATIC), 3)
    for other in (make_problem("gaussian-quadratic:dim=2,loc=2"), started_at(make_problem(QUADRATIC), ELSEWHERE)):
        with pytest.raises(pytest.fail.Exception):
            started_after(other, 3)
    monkeypatch.setattr(trained_start, "_trained", trained)
    namespace: dict[str, Any] = {"dataclass": dataclass, "Square": Square, "__name__": "notebook"}
    exec("@dataclass(frozen=True)\nclass Mine(Square):\n    pass", namespace)
    started_after(namespace["Mine"](), 3)
    assert list((cache_folder() / "checkpoints").iterdir()) == [file], "a notebook's class is not kept"


def test_who_cannot_be_trained_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_start, "TRAINERS", ("pathwise",))
    with pytest.raises(Unsupported, match=r"no estimator can take the steps of poisson-quadratic: .*differentiable"):
        started_after(make_problem("poisson-quadratic"), 3)


@dataclass(frozen=True)
class Policy(Problem):
    """A linear map of what is drawn, as a part of a problem."""

    name, cost_depends_on_params = "policy", True
    part = ReplicatedModule(nn.Linear(2, 1), "policy.")

    def initial_params(self):
        return self.part.initial_params()

    def distribution(self, params):
        return make_problem(QUADRATIC).distribution(
            {name: torch.zeros(len(params["policy.bias"]), 2) for name in ("loc", "log_scale")}
        )

    def cost(self, x, params):
        return self.part.of_samples(params, x).square().sum(-1)


def test_the_state_of_a_module_lacks_its_prefix(tmp_path) -> None:
    module = nn.Linear(2, 1)
    torch.save(module.state_dict(), tmp_path / "policy.pt")
    torch.save({f"policy.{name}": value for name, value in module.state_dict().items()}, tmp_path / "whole.pt")
    for file in ("policy.pt", "whole.pt"):
        found = started_from(Policy(), tmp_path / file)
        assert torch.equal(found.initial_params()["policy.weight"], module.weight.detach().double())
        assert found.begins == f"at {file}"


def test_a_file_that_is_none_is_told_in_a_line(gradmark, tmp_path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    torch.save({"epoch": 3, "weights": ELSEWHERE}, tmp_path / "nested.pt")
    torch.save({"loc": torch.zeros(2)}, tmp_path / "part.pt")
    (tmp_path / "text.pt").write_text("weights")
    said = {
        "absent": "does not exist",
        "module": "holds no tensors by name that could be read: write it by torch.save",
        "nested": "holds a dict of epoch, weights, not tensors by name",
        "part": "cannot begin at part.pt: missing there: log_scale",
        "text": "holds no tensors by name that could be read",
    }
    for name, words in said.items():
        code, out, err = gradmark("check", "pathwise", "-p", QUADRATIC, "--state", str(tmp_path / f"{name}.pt"))
        assert code == 2 and not out and words in err and len(err.strip().splitlines()) == 1, err


def test_check_begins_where_it_is_told(gradmark, tmp_path) -> None:
    code, out, _ = gradmark("check", "pathwise", "-p", plugin(tmp_path, PROBLEM), "--after", "3", "--seconds", "1")
    assert code == 0 and "silent, after 3 steps" in out
    torch.save(ELSEWHERE, tmp_path / "mine.pt")
    there = ("check", "pathwise", "-p", QUADRATIC, "--seconds", "1", "--state", str(tmp_path / "mine.pt"))
    code, out, _ = gradmark(*there)
    assert code == 0 and f"{QUADRATIC}, at mine.pt" in out
    code, _, err = gradmark(*there, "--after", "3")
    assert code == 2 and "--after and --state are two places to begin at" in err
