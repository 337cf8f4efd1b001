"""Chunks follow the memory that a replicate really takes, and are what they were where that is little."""

from dataclasses import dataclass, field

import pytest
import torch
import torch.distributions as td
from cases import PROBLEMS
from torch import Tensor

from estimators import Params, Problem, Program, make_estimator, make_problem
from experiments.gradients import workload
from experiments.gradients.footprint import Footprint
from experiments.gradients.prepare import prepare
from experiments.machine.memory import peak_memory

GIB = 2**30


@dataclass(frozen=True)
class Vocabulary(Problem):
    """A token of many, with one weight for the last half of them: x is one number."""

    size: int = 3000

    def initial_params(self) -> Params:
        return {"bias": torch.tensor([0.0])}

    def distribution(self, params: Params) -> td.Distribution:
        half = (torch.arange(self.size) >= self.size // 2).to(params["bias"])
        return td.Categorical(logits=torch.linspace(0, -12, self.size).to(params["bias"]) + params["bias"] * half)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x >= self.size // 2).to(params["bias"])


@dataclass(frozen=True)
class Regression(Problem):
    """Two weights, and the squared error over many data points: x is two numbers."""

    points: int = 5000
    inputs: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        object.__setattr__(self, "inputs", torch.randn(self.points, 2, generator=generator, dtype=torch.float64))

    def initial_params(self) -> Params:
        return {"loc": torch.zeros(2), "log_scale": torch.zeros(2)}

    def distribution(self, params: Params) -> td.Distribution:
        return td.Independent(td.Normal(params["loc"], params["log_scale"].exp()), 1)

    def cost(self, x: Tensor, params: Params) -> Tensor:
        return (x @ self.inputs.T - 1).square().mean(-1)


@pytest.mark.parametrize("problem", [Vocabulary(), Vocabulary(32_000), Regression()], ids=str)
@pytest.mark.parametrize("spec", ["score-function", "score-function:control_variate=leave-one-out"])
def test_a_chunk_is_bounded_whatever_a_replicate_takes(problem: Problem, spec: str) -> None:
    work = prepare(problem, make_estimator(spec), 4)
    assert 1 < work.chunk < workload.MOST_REPLICATES
    assert peak_memory(lambda: work.gradients(0), work.device) < GIB / 4


def test_what_is_found_is_what_tensors_take() -> None:
    """Within a factor, and in proportion: x alone is 8 bytes, and the logits and their kin some times 8 K."""
    small, large = (Footprint.of(Vocabulary(size), Vocabulary(size).initial_params()) for size in (3000, 30_000))
    assert small.sample >= 8 * 3000 and 2 * 8 * 3000 < small.replicate < 20 * 8 * 3000
    assert large.replicate == pytest.approx(10 * small.replicate, rel=0.01)
    assert Footprint.of(Regression(), Regression().initial_params()).sample == pytest.approx(2 * 8 * 5000, rel=0.01)


@pytest.mark.parametrize("spec", PROBLEMS)
def test_the_chunks_of_small_problems_are_as_large_as_is_fast(spec: str) -> None:
    """Element-samples decide, unless a replicate takes hundreds of times what its samples do: data, or a network."""
    made = make_problem(spec)
    if isinstance(made, Program) and not made.mapped:
        assert prepare(made, make_estimator("score-function"), 4).chunk == workload.ONE_BY_ONE // 4
        return
    for num_samples in (1, 4, 64, 1000):
        work = prepare(made, make_estimator("score-function"), num_samples)
        most = 1 << min(workload.CHUNK_ELEMENTS // work.elements, workload.MOST_REPLICATES).bit_length() - 1
        taken = most * work.footprint.of_replicate(num_samples)
        fits = work.chunk <= workload.FEW or taken * work.chunk / most <= workload.CHUNK_BYTES
        assert work.chunk == most or (taken > workload.CHUNK_BYTES and fits)
    heavy = "digits", "logistic", "flow"
    assert work.chunk == most or spec.startswith(heavy)


@pytest.mark.parametrize(
    ("wanted", "chunk"),
    [(640, 640), (64, 64), (65, 128), (2**15, 2**15), (40_000, 20_032), (10**6, 2**15), (2**15 + 64, 2**14 + 64)],
)
def test_hardly_more_is_drawn_than_is_wanted(wanted: int, chunk: int) -> None:
    work = prepare(make_problem("gaussian-quadratic:dim=2"), make_estimator("pathwise"), 4)
    bounded = work.at_most(wanted)
    drawn = -(-wanted // bounded.chunk) * bounded.chunk
    assert bounded.chunk == chunk <= work.chunk and drawn < wanted + max(64 * drawn / chunk, wanted / 16)
    assert bounded.at_most(10**9).chunk == chunk and bounded.at_most(64).chunk == 64
    while (halved := bounded.halved).chunk > 32:
        assert halved.chunk <= bounded.chunk / 2 and halved.chunk % 64 == 0
        bounded = halved


def test_a_problem_of_other_data_is_looked_at_anew() -> None:
    whole = make_problem("digits-vae:hidden=2,latent=1,points=2")
    work = prepare(whole, make_estimator("score-function"), 4)
    assert work.footprint.sample > 0 and vars(whole)["footprint"] is work.footprint
    assert "footprint" not in vars(whole.batch(torch.zeros(1, 1, dtype=torch.long)))
