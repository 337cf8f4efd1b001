"""What is measured beside gradmark is the same, and a wrong implementation is seen before it is timed."""

import numpy as np
import pytest

from benchmarks.peers import ours, torch_loop
from benchmarks.peers.compare import faults, moments
from benchmarks.peers.figure import throughput
from benchmarks.peers.targets import TARGETS
from benchmarks.peers.work import CASES, Case, Moments
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.find_reference import find_reference
from experiments.measuring.reference import Reference

SMALL = [
    Case("A pathwise", "gaussian-quadratic:dim=3", "pathwise", 4),
    Case("A leave-one-out", "gaussian-quadratic:dim=3", CASES[1].estimator, 4),
    Case("D", "bernoulli-toy:dim=3", CASES[1].estimator, 4),
    Case("E", "gamma-cost:dim=2", "pathwise", 4),
    Case("F", "digits-vae:hidden=2,latent=1,points=2", "iwae", 1),
]


def found(case: Case) -> dict[str, Moments]:
    one = torch_loop.one_gradient(case)
    return {
        "gradmark": moments(ours.block(case, compile=False)[0], 0),
        "plain loop": torch_loop.loop(one, 2_000)(),
    }


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_the_plain_loop_estimates_what_gradmark_does(case: Case):
    reference = find_reference(prepare(make_problem(case.problem), make_estimator(case.estimator), case.num_samples))
    assert isinstance(reference, Reference)
    assert faults(found(case), reference.groups) == {}


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
    assert set(TARGETS) == {case.name for case in CASES}
