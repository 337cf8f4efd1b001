"""Gradients on mini-batches: the variance that a training sees, and the part of it that is the choice of the batch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from drawn import axes, points
from frames import cell, frame
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.utils._pytree import tree_map

from estimators import Problem, Unsupported, make_estimator, make_problem, replicated
from estimators.interface.problem import changed
from estimators.noise import IID
from experiments import measure
from experiments.gradients.mini_batches import InBatches
from experiments.plots import plot
from experiments.ranking.rank import rank
from experiments.statistics import GROUPS, shared_part
from experiments.sweep import cells_of, read_sweep
from experiments.sweep.keys import Sweep

DATA = (0.0, 1.0, 2.0, 7.0)
BATCH = 2


@dataclass(frozen=True)
class Centre(Problem):
    r"""$\sum_n (x - d_n)^2$ with $x \sim N(\theta, 1)$; on a mini-batch times N/B.

    The pathwise gradient of S samples on a batch is $2 N (\bar x - \bar d_B)$: all its moments are known.
    """

    data: Tensor = field(init=False, repr=False, compare=False)
    weight: float = field(default=1.0, init=False)
    scaled: ClassVar[bool] = True

    def __post_init__(self):
        object.__setattr__(self, "data", torch.tensor(DATA, dtype=torch.float64))

    def initial_params(self):
        return {"loc": torch.tensor([1.0])}

    def distribution(self, params):
        return Independent(Normal(params["loc"], 1.0), 1)

    def cost(self, x, params):
        return self.weight * (x - self.data).square().sum(-1)

    def expected_cost(self, params):
        return self.weight * ((params["loc"] - self.data).square() + 1).sum(-1)

    @property
    def num_data(self):
        return self.data.shape[-1]

    def batch(self, indices):
        weight = self.num_data / indices.shape[1] if self.scaled else 1.0
        return changed(self, (), data=self.data[indices], weight=weight)


def of_the_batch(size: int) -> float:
    """The variance over batches of the mean gradient: the mean of so many of N, none of them twice."""
    number = len(DATA)
    return float(4 * number**2 * np.var(DATA, ddof=1) / size * (1 - size / number))


@pytest.mark.parametrize(("num_samples", "size"), [(1, 1), (1, BATCH), (4, BATCH)])
def test_variance_and_share_are_those_of_the_law_of_total_variance(num_samples: int, size: int):
    found = measure(Centre(), make_estimator("pathwise"), num_samples, batch=size, replicates=20_480)
    assert found.batch_share is not None and found.timing is not None
    of_samples = 4 * len(DATA) ** 2 / num_samples
    total = of_samples + of_the_batch(size)
    error = (found.total_variance.high - found.total_variance.low) / 4
    assert abs(found.total_variance.value - total) < 4 * error
    share = of_the_batch(size) / total
    assert abs(found.batch_share.value - share) < 4 * (found.batch_share.high - found.batch_share.low) / 4
    assert (found.batch, found.estimator) == (size, "pathwise") and found.verdict != "biased"


def test_all_data_as_one_batch_add_nothing():
    plain, whole = (measure(Centre(), make_estimator("pathwise"), batch=size, replicates=4_096) for size in (0, 4))
    assert plain.batch_share is None and plain.total_variance.value == pytest.approx(whole.total_variance.value)
    assert whole.batch_share is not None and whole.batch_share.low == 0 and whole.batch_share.high < 0.15


def test_every_replicate_has_data_of_its_own_none_of_them_twice_and_all_estimators_the_same():
    problem, params = Centre(), replicated({"loc": torch.tensor([1.0])}, 512)
    noises = [
        InBatches(make_estimator(spec), BATCH).draw(problem, params, 2, IID(0))
        for spec in ("pathwise", "score-function")
    ]
    assert torch.equal(noises[0]["keys"], noises[1]["keys"])
    chosen = noises[0]["keys"].topk(BATCH).indices.sort(1).values.tolist()
    assert {tuple(row) for row in chosen} == {(i, j) for i in range(4) for j in range(i + 1, 4)}


def own_rows(spec: str, problem: str) -> None:
    """On a mini-batch each replicate has the estimate that it has alone."""
    made, base = make_problem(problem).to("cpu", torch.float64), make_estimator(spec)
    estimator, params = InBatches(base, 3), replicated(made.initial_params(), 4)
    noise = estimator.draw(made, params, 2, IID(0, dtype=torch.float64))
    together = estimator.gradient(made, params, noise)
    for row in range(4):
        base_of_row = tree_map(lambda one, row=row: one[:, row : row + 1], noise["base"])
        own = {"keys": noise["keys"][row : row + 1], "base": base_of_row}
        alone = estimator.gradient(made, replicated(made.initial_params(), 1), own)
        for name, value in alone.items():
            torch.testing.assert_close(together[name][row], value[0])


@pytest.mark.parametrize("problem", ["logistic-regression", "digits-vae:hidden=2,latent=1,points=1437"])
@pytest.mark.parametrize(
    "spec",
    ["pathwise:control_variate=linearized", *(f"score-function:control_variate={one}" for one in ("muprop", "taylor"))],
)
def test_an_expansion_at_the_mean_of_x_is_that_of_the_cost_of_the_own_batch(spec: str, problem: str):
    """All replicates have the same mean of x, and not the same cost there."""
    own_rows(spec, problem)


@pytest.mark.parametrize("problem", ["logistic-regression", "digits-vae:hidden=2,latent=1,points=1437"])
@pytest.mark.parametrize("spec", ["finite-differences", "spsa", "evolution-strategies", "forward-gradient"])
def test_moved_parameters_meet_the_data_of_their_own_replicate(spec: str, problem: str):
    own_rows(spec, problem)


def test_a_batch_that_is_scaled_wrongly_is_biased():
    class Unscaled(Centre):
        scaled = False

    assert measure(Unscaled(), make_estimator("pathwise"), batch=BATCH, replicates=4_096).verdict == "biased"


def test_the_shared_part_has_an_interval_that_covers_and_stays_within_one():
    generator, covered = np.random.default_rng(0), 0
    for _ in range(200):
        batch, first, second = generator.normal(size=(3, GROUPS, 16))
        first, second = 0.5 * batch + first, 0.5 * batch + second
        found = shared_part((first * second).mean(1), ((first - second) ** 2 / 2).mean(1))
        assert found is not None and 0 <= found.low <= found.value <= found.high <= 1
        covered += found.low <= 0.2 <= found.high
    assert 180 <= covered <= 199
    assert shared_part(np.zeros(GROUPS), np.zeros(GROUPS)) is None


def test_what_has_no_data_or_other_data_is_refused_in_a_line():
    pathwise = make_estimator("pathwise")
    with pytest.raises(Unsupported, match="gaussian-quadratic has no data to draw mini-batches from: leave batch out"):
        measure(make_problem("gaussian-quadratic"), pathwise, batch=4)
    with pytest.raises(Unsupported, match=r"come from all 1,437 data points, .* digits-vae:points=1437 is measured on"):
        measure(make_problem("digits-vae"), pathwise, batch=4)
    with pytest.raises(ValueError, match="batch must be at least 0, not -1"):
        measure(Centre(), pathwise, batch=-1)


# Sweeps, tables, figures, rankings


def test_the_batch_is_an_axis_of_a_sweep_and_of_a_training_its_own():
    sweep = Sweep(estimator=("pathwise",), problem=("logistic-regression",), batch=(0, 8))
    assert [one.batch for one in cells_of(sweep)] == [0, 8] and len({one.key for one in cells_of(sweep)}) == 2
    training = read_sweep("logistic-regression")
    assert {one.batch for one in cells_of(training)} == {32, 0}
    with pytest.raises(ValueError, match="batch has no place in experiment"):
        Sweep(experiment="train", estimator=("pathwise",), problem=("logistic-regression",), batch=(8,))


def test_a_run_on_batches_says_what_is_the_batch_alone(gradmark):
    Path("batches.toml").write_text(
        'batch = [8, 0]\nestimator = "pathwise"\nproblem = "logistic-regression"\nnum_samples = 2\nreference = false\n'
        "[stop]\nreplicates = 128\n[timing]\nenabled = false\n"
    )
    code, out, _ = gradmark("run", "batches.toml")
    assert code == 0
    head, *rows = [line for line in out.splitlines() if "share of the mini-batch" in line or "  pathwise" in line]
    assert "share of the mini-batch" in head and len(rows) == 2
    assert Path("results/batches/plots/mini-batches.png").exists()


def test_below_the_dashed_line_no_unbiased_estimator_is():
    rows = [
        cell(name, batch=size, total_variance=(variance, 0.9 * variance, 1.1 * variance), batch_share=share)
        for size in (8, 32)
        for name, variance, share in (
            ("pathwise", 160 / size, (0.5, 0.49, 0.51)),
            ("score-function", 1600 / size, (0.06, 0.01, 0.11)),
        )
    ]
    (ax,) = axes(plot(frame(*rows), "mini-batches"))
    assert np.allclose(points(ax, "mini-batch alone"), [(8, 10.0), (32, 2.5)])
    assert points(ax, "pathwise") == [(8, 20.0), (32, 5.0)]


def test_a_ranking_on_batches_says_what_no_estimator_can_lower():
    specs = ["pathwise", "score-function:control_variate=leave-one-out"]
    answer = rank(Centre(), 4, estimators=specs, evaluations=400_000, by="evaluations", batch=BATCH, progress=False)
    share = of_the_batch(BATCH) / (of_the_batch(BATCH) + 16)
    found = answer.measurements[0].batch_share
    assert answer.ranking[0].estimator == "pathwise" and found is not None
    assert found.low - 0.05 < share < found.high + 0.05
    assert "is the choice of the mini-batch, which a larger batch lowers and no estimator does" in answer.text()
    assert "mini-batches of 2" in answer.text() and "part = problem.batch(torch.randperm(" in answer.code
