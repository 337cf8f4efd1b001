"""What is measured beside gradmark is the same, and a wrong implementation is seen before it is timed."""

import numpy as np
import pytest
import torch

from benchmarks.peers import networks, ours, torch_loop, torch_vmap, whole
from benchmarks.peers.compare import faults, known_gradient, largest_z, moments
from benchmarks.peers.figure import throughput
from benchmarks.peers.models import model_of
from benchmarks.peers.targets import MEMORY, TARGETS
from benchmarks.peers.work import CASES, NETWORKS, Case, Moments
from estimators.registry import make_problem

SMALL = [
    Case("A pathwise", "gaussian-quadratic:dim=3", "pathwise", 4),
    Case("A leave-one-out", "gaussian-quadratic:dim=3", CASES[1].estimator, 4),
    Case("D", "bernoulli-toy:dim=3", CASES[1].estimator, 4),
    Case("E", "gamma-cost:dim=2", "pathwise", 4),
    Case("F exact", "digits-vae:hidden=2,latent=1,points=2", "iwae", 1),
    Case("G", "policy-tiny", "score-function", 4),
    Case("I", "autoencoder-tiny", "pathwise", 1),
]
TINY = {
    "policy-tiny": lambda: networks.Policy((3, 5, 4)),
    "autoencoder-tiny": lambda: networks.Autoencoder("digits", 3, 2, points=2),
}


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, made in TINY.items():
        monkeypatch.setitem(networks.NETWORKS, name, made)
    monkeypatch.setitem(whole.REPLICATES, "G", 1_024)
    monkeypatch.setitem(whole.REPLICATES, "I", 1_024)


def found(case: Case) -> dict[str, Moments]:
    one = torch_loop.one_gradient(case)
    return {
        "gradmark": moments(ours.block(case, compile=False)[0], 0),
        "plain loop": torch_loop.loop(one, 2_000)(),
    }


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Other implementations draw from the global generator."""
    torch.manual_seed(0)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_the_plain_loop_estimates_what_gradmark_does(case: Case):
    assert faults(found(case), known_gradient(case)) == {}


@pytest.mark.parametrize("case", [case for case in SMALL if case.name in NETWORKS], ids=lambda case: case.name)
def test_other_loops_over_networks_and_the_whole_of_a_measurement_do_too(case: Case):
    model = model_of(case)
    others = {f"chunks of {size}": torch_vmap.block(model, case, size)[0] for size in (1, 128)}
    others |= {name: block for name, (block, _) in whole.blocks(case).items()}
    checked = {name: moments(block, 0) for name, block in others.items()}
    assert faults(found(case) | checked, known_gradient(case)) == {}
    assert min(one.replicates for one in checked.values()) >= 100


def test_images_are_those_of_the_digits():
    problem = make_problem("digits-vae:points=32")
    assert torch.equal(networks.digits(), problem.observation)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "weights"), [("G", 8_580), ("H", 83_460), ("I", 22_880), ("J", 676_864)])
def test_networks_have_the_weights_that_are_told(name: str, weights: int):
    (case,) = (case for case in CASES if case.name == name)
    assert sum(value.numel() for value in networks.problem_of(case).initial_params().values()) == weights


def test_moments_merge_to_those_of_all():
    rows = np.random.default_rng(1).normal(3.0, 2.0, (50, 4))
    parts = [Moments(len(part), part.mean(0), part.var(0, ddof=1)) for part in np.split(rows, [7, 20])]
    replicates, mean, variance = parts[0].merged(parts[1]).merged(parts[2])
    assert replicates == 50
    np.testing.assert_allclose(mean, rows.mean(0))
    np.testing.assert_allclose(variance, rows.var(0, ddof=1))


def test_a_mean_that_is_right_is_seldom_called_wrong_however_many_entries():
    assert abs(largest_z(10_000) - 6) < 0.01 < largest_z(700_000) - largest_z(10_000) < 1


def test_what_is_wrong_is_named():
    generator = np.random.default_rng(0)
    rows = generator.normal(1.0, 1.0, (40_000, 5))
    right = Moments(len(rows), rows.mean(0), rows.var(0, ddof=1))
    wrong = {
        "scaled": right._replace(mean=1.05 * right.mean),
        "too noisy": right._replace(variance=1.2 * right.variance),
        "Pyro": right._replace(variance=1.2 * right.variance),
    }
    named = faults({"gradmark": right} | wrong, np.ones(5))
    assert set(named) == {"scaled", "too noisy"}
    assert "the mean is" in named["scaled"] and "1.20 times" in named["too noisy"]


def test_a_figure_has_a_panel_a_case():
    import pandas as pd

    rows = [(case, name, 10.0 + len(name)) for case in ("A", "B") for name in ("gradmark, compiled", "plain loop")]
    figure = throughput(pd.DataFrame(rows, columns=["case", "implementation", "gradients_per_second"]))
    assert [ax.get_title() for ax in figure.axes] == ["A", "B"]


def test_targets_are_of_cases():
    assert set(TARGETS) == {case.name for case in CASES} > MEMORY.keys()
    assert TARGETS.keys() > NETWORKS and whole.REPLICATES.keys() == NETWORKS
