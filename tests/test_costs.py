"""How times grow with the samples and with an option of the problem: fits to cells of known times."""

import numpy as np
import pandas as pd
import pytest
from frames import cell, frame

from experiments.analysis.costs import fitted_costs

ROUNDS = np.exp(0.01 * np.linspace(-1, 1, 7))
Timed = tuple[dict, np.ndarray]


def timed(dim: int, num_samples: int, seconds: float, rounds: np.ndarray = ROUNDS) -> Timed:
    """A cell, and its rounds of timing."""
    problem, median = f"gaussian-quadratic:dim={dim}", float(np.median(seconds * rounds))
    interval = (median, 0.9 * median, 1.1 * median)
    return cell("pathwise", problem, num_samples, seconds_per_gradient_batched=interval), seconds * rounds


def fitted(cells: list[Timed]) -> pd.DataFrame:
    rows = [
        {"key": one["key"], "kind": kind, "round": index, "seconds": seconds * factor}
        for one, rounds in cells
        for index, seconds in enumerate(rounds)
        for kind, factor in (("batched", 1.0), ("latency", 100.0 * (index + 1)))
    ]
    return fitted_costs(frame(*(one for one, _ in cells)), pd.DataFrame(rows))


def test_times_of_a_power_of_samples_and_of_an_option_have_that_rate() -> None:
    cells = [timed(10, s, 1e-6 * s**0.5) for s in (1, 100, 1000)] + [timed(10, 10, 1e-5)]
    found = fitted([*cells, *(timed(dim, 10, 1e-7 * dim**2) for dim in (1, 100, 1000))]).set_index("along")
    along_dim = found.loc["dim"]
    assert (along_dim["problem"], along_dim["fixed"]) == ("gaussian-quadratic", "num_samples 10")
    assert along_dim["rate"] == pytest.approx(2.0) and along_dim["inflation"] == 1
    assert (along_dim["points"], along_dim["least"], along_dim["most"]) == (4, 1, 1000)
    along_samples = found.loc["num_samples"]
    assert along_samples["problem"] == "gaussian-quadratic:dim=10" and along_samples["fixed"] == ""
    assert 0.3 < along_samples["rate"] < 0.5 and along_samples["inflation"] > 5, "no power law: one point is off"


def test_numbers_of_samples_are_not_mixed_along_an_option() -> None:
    found = fitted([timed(dim, s, 1e-7 * dim * s**3) for dim in (1, 10, 100) for s in (2, 8)])
    assert found["fixed"].tolist() == ["num_samples 2", "num_samples 8"]
    assert found["rate"].tolist() == pytest.approx([1.0, 1.0])


def test_levels_that_have_no_logarithm_take_no_part() -> None:
    cells = [cell("pathwise", f"gaussian-quadratic:dim=2,k={k}", 1) for k in (-1, 0, 0.25, 0.5, 1)]
    for one in cells:
        one["seconds_per_gradient_batched"] = 1e-6
    (row,) = fitted([(one, 1e-6 * ROUNDS) for one in cells]).to_dict("records")
    assert (row["along"], row["points"], row["least"], row["most"]) == ("k", 3, 0.25, 1)


def test_the_error_of_a_rate_is_that_of_its_rounds() -> None:
    """The spread of 25 rounds tells the error of their median well, that of few rounds only roughly."""
    generator = np.random.default_rng(0)
    errors = []
    for _ in range(100):
        cells = [timed(10, s, 1e-6 * s, np.exp(0.02 * generator.standard_normal(25))) for s in (1, 4, 16, 64, 256)]
        (row,) = fitted(cells).to_dict("records")
        errors.append((row["rate"] - 1) / row["standard_error"] * row["inflation"])
    assert abs(np.mean(errors)) < 4.5 * np.std(errors) / 100**0.5
    assert 0.9 < np.std(errors) < 1.3


def test_cells_without_times_and_short_curves_have_no_rate() -> None:
    untimed = [(cell(num_samples=s, seconds_per_gradient_batched=float("nan")), ROUNDS) for s in (1, 2, 3)]
    assert fitted(untimed).empty
    assert fitted([timed(2, s, 1e-6) for s in (1, 2)]).empty
    assert fitted([timed(2, s, 1e-6, ROUNDS[:1]) for s in (1, 2, 3)]).empty, "one round says nothing of its error"
