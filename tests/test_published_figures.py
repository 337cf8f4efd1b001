"""Published figures: what each quantity is, when a figure agrees, and the exact values that are shipped."""

import itertools
import math

import msgspec
import numpy as np
import pytest
import torch
from published_figures import SHIPPED

from estimators import make_problem, replicated
from experiments.reproduction import Figure, Found, figures_of, reproduce
from experiments.reproduction.found import PART, half_width, target
from experiments.reproduction.quantities import MEASURED_AS
from experiments.statistics import Interval
from experiments.sweep import Published, Sweep, read_sweep
from experiments.sweep.convert import convert
from experiments.sweep.published import QUANTITIES
from experiments.theory import exact_variances

NOWHERE = {"estimator": "pathwise", "problem": "gaussian-quadratic:dim=2", "source": "a test"}


def figure(**keys) -> Figure:
    row = convert(NOWHERE | {"quantity": "variance", "value": 1.0, "reading": 0.1} | keys, Published, "a test")
    samples = row.num_samples or (4,)
    return figures_of(Sweep(estimator=("pathwise",), problem=(row.problem,), num_samples=samples, published=(row,)))[0]


def measured(**keys) -> Found:
    (found,) = reproduce([figure(**keys)])
    return found


VERDICTS = {
    "the same": ((1.0, 0.97, 1.03), "agrees"),
    "within what may have been read": ((1.09, 1.07, 1.11), "agrees"),
    "the interval just meets it": ((1.13, 1.10, 1.16), "agrees"),
    "the interval just does not": ((1.13, 1.1001, 1.16), "differs"),
    "nor from below": ((0.87, 0.84, 0.8999), "differs"),
    "far away": ((2.0, 1.9, 2.1), "differs"),
    "far away, and hardly known": ((9.0, 2.0, 20.0), "differs"),
    "too wide to tell": ((1.0, 0.96, 1.04), "undecided"),
    "nothing known": ((math.nan, -math.inf, math.inf), "undecided"),
    "not finite": ((math.nan, math.nan, math.nan), "differs"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_a_figure_agrees_where_what_was_read_and_what_is_measured_meet(case):
    interval, verdict = VERDICTS[case]
    assert Found(figure(), Interval(*interval)).verdict == verdict


def test_what_is_not_finite_is_null_in_json():
    found = Found(figure(), Interval(math.nan, -math.inf, math.inf)).document()
    assert (found["measured"], found["measured_low"], found["measured_high"]) == (None, None, None)
    assert Found(figure(), None, reason="why").document()["reason"] == "why"


@pytest.mark.parametrize("reading", ["5 %", "5%", "5.0 %", 0.1])
def test_a_reading_is_a_number_or_a_part_of_the_value(reading):
    assert figure(value=-2.0, reading=reading).row.error == pytest.approx(0.1)


# Pathwise on two dimensions of x² at N(1, 1), S samples: of loc 2x has the variance 4 / S, of log_scale 2xε has 12 / S.
KNOWN = {
    "total-variance": ({}, 2 * (4 + 12) / 4),
    "total-variance of one": ({"parameter": "log_scale"}, 2 * 12 / 4),
    "total-variance scaled": ({"parameter": "loc", "gradient_scale": -3.0}, 9 * 2 * 4 / 4),
    "variance": ({}, (4 + 12) / 2 / 4),
    "variance of one": ({"parameter": "loc"}, 4 / 4),
    "standard-deviation": ({"parameter": "loc"}, math.sqrt(2 * 4 / 4)),
    "standard-deviation scaled": ({"parameter": "loc", "gradient_scale": -0.5}, 0.5 * math.sqrt(2 * 4 / 4)),
    "gradient": ({"problem": "gaussian-quadratic:dim=2,loc=3", "parameter": "loc", "entry": 1}, 6.0),
    "gradient of the other": ({"problem": "gaussian-quadratic:dim=2,loc=3", "parameter": "log_scale"}, 2.0),
    "gradient scaled": ({"parameter": "log_scale", "gradient_scale": -2.0}, -4.0),
    "snr-rate": ({"num_samples": [1, 4, 16]}, 0.5),
    "snr-rate of one": ({"num_samples": [1, 4, 16], "parameter": "log_scale"}, 0.5),
}


@pytest.mark.parametrize("case", KNOWN)
def test_quantities_have_their_known_values(case):
    keys, value = KNOWN[case]
    found = measured(quantity=case.split()[0], value=value, reading="3 %", **keys)
    assert found.verdict == "agrees" and found.measured is not None
    assert half_width(found.measured) <= target(found.figure.row, found.measured) <= 1.5 * 0.03 * abs(value) / PART
    wrong = Found(figure(quantity=case.split()[0], value=1.06 * value, reading="3 %", **keys), found.measured)
    assert wrong.verdict == "differs"


def test_every_quantity_is_measured():
    assert set(MEASURED_AS) == set(QUANTITIES) == {case.split()[0] for case in KNOWN}


def test_a_variance_that_is_zero_and_one_that_is_not():
    toy = "bernoulli-toy:dim=1,t=0.49"
    keys = {"problem": toy, "quantity": "total-variance", "value": 0.0, "reading": 1e-7, "source": "a test"}
    rows = tuple(Published(estimator=estimator, **keys) for estimator in ("disarm", "arm"))
    sweep = Sweep(estimator=("disarm", "arm"), problem=(toy,), num_samples=(2,), published=rows)
    assert [one.verdict for one in reproduce(figures_of(sweep))] == ["agrees", "differs"]


def test_a_gradient_is_of_the_entry_that_is_named():
    toy = "categorical-toy"
    problem = make_problem(toy)
    exact = problem.exact_gradient(replicated(problem.initial_params(), 1))
    assert exact is not None
    wanted = exact["logits"].flatten().tolist()
    keys = {"estimator": "exact", "problem": toy, "quantity": "gradient", "reading": 1e-4, "source": "a test"}
    rows = tuple(Published(**keys, entry=entry, value=value) for entry, value in enumerate(wanted))
    found = reproduce(figures_of(Sweep(estimator=("exact",), problem=(toy,), num_samples=(1,), published=rows)))
    assert {one.verdict for one in found} == {"agrees"} and len({round(value, 3) for value in wanted}) > 8


def test_figures_of_the_same_cells_are_measured_together():
    one, other = figure(quantity="total-variance", value=8.0), figure(quantity="gradient", parameter="loc", value=2.0)
    apart = figure(num_samples=9)
    together = list(reproduce([one, apart, other]))
    assert [found.figure for found in together] == [one, other, apart]
    assert together[0].replicates == together[1].replicates


# The exact values that are shipped, each derived anew.


def enumerated(estimator: str, logit: float) -> float:
    """The variance on three bits, from the probabilities of all states."""
    p = 1 / (1 + math.exp(-logit))
    states = np.array(list(itertools.product((0, 1), repeat=3)))
    q = (p**states * (1 - p) ** (1 - states)).prod(1)
    cost, score = ((states - [0.6, 0.51, 0.48]) ** 2).sum(1), (states - p).sum(1)
    if estimator == "score-function":
        outcomes = [(q[a], cost[a] * score[a]) for a in range(8)]
    elif estimator == "unordered-set":
        outcomes = [unordered(q, cost, score, a, b) for a, b in itertools.combinations(range(8), 2)]
    else:
        outcomes = [(q[a] * q[b], (cost[a] - cost[b]) * (score[a] - score[b]) / 2) for a in range(8) for b in range(8)]
    weights, values = np.array(outcomes).T
    assert weights.sum() == pytest.approx(1) and weights @ values == pytest.approx(q @ (cost * score))
    return float(weights @ values**2 - (weights @ values) ** 2)


def unordered(q, cost, score, a: int, b: int) -> tuple[float, float]:
    """The probability of a set of two, and the estimate from it."""
    each = {s: q[a] * q[b] / (1 - q[s]) for s in (a, b)}
    """The probability that s comes first, and then the other."""
    chance = sum(each.values())
    of_s = {s: each[s] / chance * (1 - q[s]) * (cost[s] - cost[t]) * score[s] for s, t in ((a, b), (b, a))}
    return chance, sum(of_s.values())


def derived(found: Figure) -> float:
    row, cell = found.row, found.cells[0]
    if found.sweep == "mohamed2020":
        known = exact_variances(cell.estimator, cell.problem, cell.num_samples)
        assert known is not None
        return known[row.parameter]
    problem = make_problem(cell.problem)
    point = replicated(problem.initial_params(), 1)
    if row.quantity == "gradient":
        gradient = problem.exact_gradient(point)
        assert gradient is not None
        return row.gradient_scale * float(torch.cat([value.flatten() for value in gradient.values()])[row.entry])
    return enumerated(cell.estimator, float(point["logit"]))


def test_exact_values_that_are_shipped_are_exact():
    exact = [one for name in SHIPPED for one in figures_of(read_sweep(name)) if one.row.origin == "exact"]
    assert {one.sweep for one in exact} == {"mohamed2020", "kool2020", "arya2022"}
    for one in exact:
        assert one.row.value == pytest.approx(derived(one), rel=1e-4), one


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_figure_agrees_and_a_fifth_more_or_less_differs(name):
    for found in reproduce(figures_of(read_sweep(name))):
        assert found.verdict == "agrees", found
        for factor in (0.8, 1.2) if found.figure.row.value else ():
            row = found.figure.row
            changed = Figure(name, msgspec.structs.replace(row, value=factor * row.value), found.figure.cells)
            assert Found(changed, found.measured).verdict == "differs", (row, found.measured)
