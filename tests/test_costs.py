"""How times grow with the samples and with an option of the problem: fits to cells of known times."""

import numpy as np
import pytest
from frames import cell, frame

from experiments.costs import fitted_costs


def timed(dim: int, num_samples: int, seconds: float, estimator: str = "pathwise") -> dict:
    interval = (seconds, 0.99 * seconds, 1.01 * seconds)
    return cell(estimator, f"gaussian-quadratic:dim={dim}", num_samples, seconds_per_gradient_batched=interval)


def test_times_of_a_power_of_samples_and_of_an_option_have_that_rate() -> None:
    cells = [timed(10, s, 1e-6 * s**0.5) for s in (1, 10, 100, 1000)]
    cells += [timed(dim, 10, 1e-7 * dim**2) for dim in (1, 100, 1000)]
    cells[1] = timed(10, 10, 1e-5)
    found = fitted_costs(frame(*cells)).set_index("along")
    along_dim = found.loc["dim"]
    assert (along_dim["problem"], along_dim["fixed"]) == ("gaussian-quadratic", "num_samples 10")
    assert along_dim["rate"] == pytest.approx(2.0) and along_dim["inflation"] == 1
    assert (along_dim["points"], along_dim["least"], along_dim["most"]) == (4, 1, 1000)
    along_samples = found.loc["num_samples"]
    assert along_samples["problem"] == "gaussian-quadratic:dim=10" and along_samples["fixed"] == ""
    assert 0.3 < along_samples["rate"] < 0.5 and along_samples["inflation"] > 5, "no power law: one point is off"


def test_the_error_of_a_rate_is_that_of_the_times() -> None:
    generator = np.random.default_rng(0)
    rates = []
    for _ in range(200):
        cells = []
        for s in (1, 4, 16, 64, 256):
            low, seconds, high = 1e-6 * s * np.exp(0.02 * (generator.standard_normal() + np.array([-1.96, 0, 1.96])))
            cells.append(cell(num_samples=s, seconds_per_gradient_batched=(seconds, low, high)))
        row = fitted_costs(frame(*cells)).iloc[0]
        rates.append((row["rate"] - 1) / row["standard_error"] * row["inflation"])
    assert abs(np.mean(rates)) < 4.5 / 200**0.5 and abs(np.std(rates) - 1) < 4.5 / 400**0.5


def test_cells_without_times_and_short_curves_have_no_rate() -> None:
    untimed = [cell(num_samples=s, seconds_per_gradient_batched=float("nan")) for s in (1, 2, 3)]
    assert fitted_costs(frame(*untimed)).empty
    assert fitted_costs(frame(*(timed(2, s, 1e-6) for s in (1, 2)))).empty
