"""What a notebook shows of a measurement and of a run."""

from pathlib import Path

from processes import here, write_sweep

from estimators import make_estimator, make_problem
from experiments import measure


def test_a_measurement_shows_its_main_figures() -> None:
    found = measure(make_problem("gaussian-quadratic"), make_estimator("pathwise"), num_samples=4, replicates=640)
    shown = found._repr_html_()
    for text in ("pathwise, 4 samples", "total variance", "gaussian-quadratic", "unbiased, ", "640"):
        assert text in shown
    assert "<script" not in shown and shown.count("<tr>") == shown.count("</tr>")


def test_a_run_shows_its_cells_and_how_many_there_are(tmp_path: Path) -> None:
    run = here(write_sweep(tmp_path, range(2, 6)), tmp_path / "results")
    shown = run._repr_html_()
    assert shown.count("<tr>") == 21 and "24 of 24 cells are done; 4 more" in shown
    assert "gaussian-exponential" in shown and "MSE × time" in shown
