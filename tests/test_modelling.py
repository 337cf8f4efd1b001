"""The recipes of the modelling guide: each is ranked as the page says, and two ways to its gradient agree."""

import importlib
import json
import math
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from documentation import blocks
from scipy import stats

from estimators import Problem, load_plugin, make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.loop import estimate
from experiments.measuring.stop import Stop

PAGE = "docs/modelling.md"
FILES = {block.title: block.text for block in blocks(PAGE) if block.title}
LINES = [line for block in blocks(PAGE) if block.language == "sh" for line in block.text.splitlines()]
LEAVE_ONE_OUT = "score-function:control_variate=leave-one-out"
PAIRS = {
    "gaussian_autoencoder": ("pathwise", LEAVE_ONE_OUT),
    "closed_form": ("pathwise", "path-derivative"),
    "binary_autoencoder": ("disarm", None),
    "two_layers": ("pathwise", LEAVE_ONE_OUT),
    "cart": ("stochastic-triple", LEAVE_ONE_OUT),
    "writer": (LEAVE_ONE_OUT, None),
    "schools": ("pathwise", LEAVE_ONE_OUT),
    "bakery": (LEAVE_ONE_OUT, None),
    "batched": ("pathwise", LEAVE_ONE_OUT),
}
"""Two estimators of different kinds; None: the exact gradient."""
SAMPLES = 8
SLOW, DEAR = pytest.mark.slow, ("bakery", "two_layers", "gaussian_autoencoder")
KNOWN = 0.25
"""What the standard error of an estimated gradient may be at most, relative to it: less would be agreement of noise."""


@pytest.fixture(autouse=True)
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the working folder, as modules that no other test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for title, text in FILES.items():
        (tmp_path / title).write_text(text)
    yield
    for title in FILES:
        sys.modules.pop(title.removesuffix(".py"), None)
    importlib.invalidate_caches()


def loaded(recipe: str) -> Problem:
    load_plugin(f"{recipe}.py")
    return make_problem(recipe.replace("_", "-"))


def estimated(problem: Problem, spec: str, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean gradient and its standard error."""
    found = estimate(prepare(problem, make_estimator(spec), SAMPLES), None, Stop(replicates=replicates))
    mean, variance = (np.concatenate([one.ravel() for one in each.values()]) for each in (found.mean, found.variance))
    return mean, np.sqrt(variance / found.replicates)


def exact(problem: Problem) -> np.ndarray:
    if problem.name == "bakery":
        return of_the_bakery(float(problem.initial_params()["log_loaves"]))
    params = {name: value.unsqueeze(0) for name, value in problem.initial_params().items()}
    found = problem.exact_gradient(params)
    assert found is not None
    return np.concatenate([value.numpy().ravel() for value in found.values()])


def of_the_bakery(log_loaves: float, step: float = 1e-4) -> np.ndarray:
    """The derivative of the mean cost, by quadrature over loaves and a sum over customers."""
    simulated = importlib.import_module("bakery").simulated
    loaves, customers = np.linspace(1e-6, 40, 40_001)[:, None], np.arange(60)
    costs = simulated(loaves, customers) @ stats.poisson.pmf(customers, 4)

    def mean(at: float) -> float:
        density = stats.gamma.pdf(loaves[:, 0], 5 * math.exp(at), scale=1 / 5)
        return float(np.trapezoid(costs * density, loaves[:, 0]))

    return np.array([(mean(log_loaves + step) - mean(log_loaves - step)) / (2 * step)])


def test_each_file_is_ranked_on_the_page() -> None:
    assert {f"{recipe}.py" for recipe in PAIRS} == set(FILES)
    ranked = {shlex.split(line)[2] for line in LINES}
    assert ranked == set(FILES)


@pytest.mark.parametrize("recipe", [pytest.param(one, marks=SLOW) if one in DEAR else one for one in PAIRS])
def test_two_ways_to_the_gradient_agree(recipe: str, small_chunks) -> None:
    first, second = PAIRS[recipe]
    problem, replicates = loaded(recipe), 256 if recipe == "bakery" else 512
    found, error = estimated(problem, first, replicates)
    other, beside = (exact(problem), 0 * error) if second is None else estimated(problem, second, 4 * replicates)
    for each in (error, beside):
        assert np.linalg.norm(each) < KNOWN * np.linalg.norm(other)
    assert (abs(found - other) <= 5 * np.sqrt(error**2 + beside**2) + 1e-6 * abs(other).max()).all()


def test_the_blocks_of_python_run_in_turn(capsys, short_fits) -> None:
    texts = [block.text for block in blocks(PAGE) if block.language == "python" and not block.title]
    for text in texts:
        with torch.random.fork_rng():
            exec(compile(text, PAGE, "exec"), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert "True True" in said and "after 50 steps" in said and "at trained.pt" in said


@SLOW
@pytest.mark.parametrize("line", LINES)
def test_the_rankings_of_the_page_have_a_reference_and_refute_no_claim(line: str, gradmark) -> None:
    called, *arguments = shlex.split(line)
    assert called == "gradmark"
    if "trained.pt" in arguments:
        problem = loaded("gaussian_autoencoder")
        torch.save(problem.initial_params(), "trained.pt")
    code, out, err = gradmark(*arguments, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["reference"] in ("exact", "measured") and found["advice"].startswith("Use ")
    refuted = [row for row in found["ranking"] if row["claim"] == "unbiased" and row["verdict"] == "biased"]
    assert not refuted
