"""The ranking of a report: by what, of whom, and side by side for several devices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from frames import cell, frame
from playwright.sync_api import Page
from reports import a_run, column

from experiments.ranking.stored import rankings
from experiments.report import write_report


def test_ranking_by_mse_and_time(written: Path, show: Callable[..., Page]):
    page = show(written)
    region = page.get_by_role("region", name="Ranking on gaussian-quadratic")
    places = list(zip(*(column(region, name) for name in ("place", "estimator", "S", "verdict")), strict=True))
    assert places == [
        ("1", "pathwise", "10", "unbiased"),
        ("2 ≈", "disarm", "2", "unbiased"),
        ("3", "score-function", "10", "unbiased"),
        ("4", "relax (conditional on its fit)", "10", "undetermined"),
        ("biased", "spsa", "10", "biased"),
        ("yardstick", "exact", "1", "unbiased"),
    ]
    assert column(region, "MSE × time [cost² s/parameter²]")[0] == "0.0001 [9e-05, 0.00012]"
    assert column(region, "MSE [cost²/parameter²]")[0] == "5 [4.75, 5.25]"
    assert column(region, "time per gradient")[0] == "200 [190, 220] µs"
    summary = " ".join(page.locator("#ranking").inner_text().split())
    assert "Smallest MSE × time: pathwise with S = 10 on cpu; 1 other cannot be told from it." in summary
    assert "Not ranked: arm (its timing ran past the limit)." in summary


def test_an_estimator_is_ranked_where_it_is_not_biased(tmp_path: Path, show: Callable[..., Page]):
    cells = frame(
        cell("spsa", num_samples=1, work_normalized_mse=(2e-4, 1e-4, 3e-4)),
        cell("spsa", num_samples=10, work_normalized_mse=(1e-5, 1e-5, 1e-5), verdict="biased"),
        cell("evolution-strategies", work_normalized_mse=(1e-6, 1e-6, 1e-6), claim="biased", verdict="undetermined"),
    )
    region = show(write_report(a_run(cells), tmp_path / "report.html")).get_by_role("region", name="Ranking on")
    places = list(zip(*(column(region, name) for name in ("place", "estimator", "S")), strict=True))
    assert places == [("1", "spsa", "1"), ("claims a bias", "evolution-strategies", "10")]


def test_what_waits_for_kernels_is_marked(tmp_path: Path, show: Callable[..., Page]):
    one = {"seconds_per_gradient": (3e-4, 2.9e-4, 3.1e-4), "compile_seconds": 7.5}
    cells = frame(
        cell("pathwise", kernel_seconds_per_gradient=1e-5, **one),
        cell("spsa", kernel_seconds_per_gradient=2e-4, **one),
        cell("exact"),
    )
    page = show(write_report(a_run(cells), tmp_path / "report.html"))
    region = page.get_by_role("region", name="Cells", exact=True)
    assert column(region, "… in kernels of the GPU") == ["10 µs (launch-bound)", "200 µs", "–"]
    assert column(region, "time to compile") == ["7.5 s", "7.5 s", "–"]


def test_a_measured_gradient_serves_to_rank_by_error(tmp_path: Path, show: Callable[..., Page]):
    costs = {"pathwise": (2e-4, 1e-4, 3e-4), "score-function": (1e-4, 9e-5, 1.1e-4)}
    cells = frame(*(cell(name, reference="measured", work_normalized_mse=cost) for name, cost in costs.items()))
    region = show(write_report(a_run(cells), tmp_path / "report.html")).get_by_role("region", name="Ranking on")
    assert column(region, "estimator") == ["score-function", "pathwise"]
    assert column(region, "MSE × time [cost² s/parameter²]")[0] == "0.0001 [9e-05, 0.00011]"


def test_estimators_of_another_objective_have_no_place(tmp_path: Path, show: Callable[..., Page]):
    cells = frame(
        cell("dreg", work_normalized_mse=(1e-6, 1e-6, 1e-6), target="bound of 10 samples"),
        cell("exact", work_normalized_mse=(0.0, 0.0, 0.0)),
        cell("somebodys-own", work_normalized_mse=(3e-4, 2e-4, 4e-4)),
        cell("pathwise", work_normalized_mse=(2e-4, 1e-4, 3e-4)),
    )
    region = show(write_report(a_run(cells), tmp_path / "report.html")).get_by_role("region", name="Ranking on")
    assert list(zip(column(region, "place"), column(region, "estimator"), strict=True)) == [
        ("1", "pathwise"),
        ("2 ≈", "somebodys-own"),
        ("other objective", "dreg"),
        ("yardstick", "exact"),
    ]


def test_ranking_by_variance_without_a_gradient_to_compare_with(written: Path, show: Callable[..., Page]):
    region = show(written).get_by_role("region", name="Ranking on digits-vae")
    assert column(region, "estimator") == ["pathwise", "score-function"]
    assert column(region, "variance × time [cost² s/parameter²]") == ["0.002 [0.002, 0.002]", "0.003 [0.003, 0.003]"]


def test_several_devices_are_ranked_side_by_side(tmp_path: Path, show: Callable[..., Page]):
    fast = cell("pathwise", device="cuda", device_name="H100", work_normalized_mse=(1e-6, 1e-6, 1e-6))
    page = show(write_report(a_run(frame(cell("pathwise"), fast)), tmp_path / "report.html"))
    region = page.get_by_role("region", name="Ranking on gaussian-quadratic")
    assert column(region, "device") == ["cuda, float32", "cpu, float32"]


def test_no_advice_and_what_is_rescaled_are_told(tmp_path: Path, show: Callable[..., Page]):
    parallel: dict[str, Any] = {"scale": (2.04, 2.03, 2.05), "mean_cosine": (0.99999, 0.9995, 1.0)}
    cells = frame(
        cell("score-function", work_normalized_mse=(1e-5, 1e-6, 1.1e-4)),
        cell("spsa", work_normalized_mse=(1e-6, 1e-6, 1e-6), verdict="biased", claim="unbiased", **parallel),
    )
    page = show(write_report(a_run(cells), tmp_path / "report.html"))
    summary = " ".join(page.locator("#ranking").inner_text().split())
    assert "No advice: the interval of its error spans more than a factor of ten." in summary
    assert "Biased, but a multiple of the gradient: 2.04 ×, cosine 1.000 (spsa)." in summary
    region = page.get_by_role("region", name="Ranking on")
    assert list(zip(column(region, "claim"), column(region, "verdict"), strict=True))[1] == ("unbiased", "biased")


def test_a_reference_of_another_objective_does_not_decide_what_gradients_are_ranked_by():
    """Without a gradient to compare with they are ranked by variance, although a bound has one."""
    none = {"mse": None, "squared_bias": None, "work_normalized_mse": None, "verdict": None, "reference": "none"}
    cells = [
        cell("pathwise", work_normalized_variance=(1.0, 0.9, 1.1), **none),
        cell("score-function", work_normalized_variance=(5.0, 4.9, 5.1), **none),
        cell("iwae", target="bound of 10 samples"),
    ]
    (found,) = rankings(a_run(frame(*cells)))
    assert found.quantity == "variance"
    assert [one.ranked.estimator for one in found.placed if one.ranked.usable] == ["pathwise", "score-function"]
    (bounds,) = rankings(a_run(frame(cells[2])))
    assert bounds.quantity == "MSE"
