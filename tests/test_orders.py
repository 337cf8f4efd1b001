"""The order of the derivatives in sweeps, results, rankings and figures."""

from pathlib import Path

import numpy as np
import pytest
from drawn import axes, legend, lines
from frames import cell, frame

from experiments import load
from experiments.plots import plot
from experiments.ranking.stored import comparable, rankings
from experiments.sweep import cells_of
from experiments.sweep.keys import Sweep
from experiments.theory import exact_total_variance

BITS = "bernoulli-toy:dim=2,logit=0.5,t=0.1"


def test_the_order_is_an_axis_of_a_sweep_and_has_no_place_in_a_training():
    sweep = Sweep(estimator=("dice",), problem=(BITS,), order=(1, 2))
    assert [one.order for one in cells_of(sweep)] == [1, 2] and len({one.key for one in cells_of(sweep)}) == 2
    with pytest.raises(ValueError, match="order has no place in experiment"):
        Sweep(experiment="train", estimator=("dice",), problem=(BITS,), order=(2,))


def test_cells_of_second_order_say_so_and_are_not_ranked_beside_gradients(gradmark):
    Path("orders.toml").write_text(
        f'order = [1, 2]\nestimator = ["dice", "score-function"]\nproblem = "{BITS}"\n[stop]\nreplicates = 128\n'
        "[timing]\nenabled = false\n"
    )
    code, out, _ = gradmark("run", "orders.toml")
    assert code == 0 and "derivatives" in out and "second" in out
    run = load("results/orders")
    done = set(run.cells.query("status == 'done'")[["estimator", "order"]].itertuples(index=False, name=None))
    assert done == {("dice", 1), ("dice", 2), ("score-function", 1)}
    assert set(comparable(run.measured)["order"]) == {1}
    gradients, hessians = rankings(run)
    assert (gradients.problem, hessians.problem) == (BITS, f"{BITS}, second derivatives")
    assert set(gradients.unranked) == {"dice", "score-function"}  # nothing was timed
    assert hessians.unranked == {
        "dice": "its gradient is that of another objective: Hessian of the expected cost along a direction"
    }


def test_figures_tell_the_orders_apart_and_draw_no_exact_variance_of_gradients_beside_hessians():
    specs = [f"gaussian-quadratic:dim=2,k={k}" for k in (1, 2, 3)]
    rows = frame(*(cell("pathwise", spec, order=order, key=f"{spec} {order}") for spec in specs for order in (1, 2)))
    figure = plot(rows, "option")
    assert {"gradients", "second derivatives"} <= set(legend(figure))
    (ax,) = axes(figure)
    assert [len(np.asarray(line.get_xydata())) for line in lines(ax, "pathwise")] == [3, 3]
    of_gradients = np.array([exact_total_variance("pathwise", spec, 10) for spec in specs], float)
    assert sum(np.allclose(np.asarray(line.get_ydata()), of_gradients) for line in ax.lines) == 1
