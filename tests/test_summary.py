"""The table of cells on narrow terminals: a line a cell, whole numbers, and a word on what is left out."""

from typing import Any

import pytest
from frames import cell, frame

from experiments.commands import summary
from experiments.statistics import Interval, relative_bias

LONG = "gaussian-cosine:dim=100,k=3"
SPECS = ("pathwise", "score-function:control_variate=leave-one-out", "finite-differences")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def shown(width: int | None) -> list[str]:
        figures: dict[str, Any] = {
            "scale": (1.01, 1.0, 1.02),
            "cosine": (0.5, 0.4, 0.6),
            "work_normalized_mse": (8e-4, 7.2e-4, 8.8e-4),
        }
        cells = [
            cell(name, problem, evaluations=40, **figures) for problem in ("gaussian-quadratic", LONG) for name in SPECS
        ]
        monkeypatch.setattr(summary, "terminal_width", lambda: width)
        summary.print_cells(frame(*cells))
        return capsys.readouterr().out.splitlines()

    return shown


@pytest.mark.parametrize("width", [100, 80])
def test_a_line_a_cell_below_its_problem(shown, width: int):
    lines = shown(width)
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.startswith(("pathwise", "leave-one-out", "finite-differences"))]
    assert len(rows) == 6 and all("4 ± 5 %" in row and "0.0008 ± 10 %" in row for row in rows)
    assert [line for line in lines if line.startswith("— ")] == ["— gaussian-quadratic", f"— {LONG}"]
    assert any(line.startswith("Left out here: evaluations, variance × evaluations") for line in lines)


def test_all_columns_where_there_is_room_with_bias_scale_and_cosine(shown):
    heading, *rows = shown(None)
    for name in ("bias/‖g‖", "scale", "cosine", "detectable", "MSE × s [95 %]", "variance × evaluations [95 %]"):
        assert name in heading
    assert len(rows) == 6 and all("4 [3.8, 4.2]" in row and "1.01" in row and "0.5" in row for row in rows)


def test_the_bias_relative_to_the_gradient_is_a_column():
    cells = frame(cell("pathwise", squared_bias=(0.04, 0.01, 0.09), gradient_norm=2.0))
    found = [cells[name].item() for name in ("relative_bias", "relative_bias_low", "relative_bias_high")]
    assert found == pytest.approx([0.1, 0.05, 0.15])
    assert all(frame(cell("pathwise", gradient_norm=0.0))["relative_bias"].isna())


def test_noise_that_happens_to_be_small_excludes_no_bias():
    """A squared bias that is estimated to be negative, and its interval with it, is not known to be below 0."""
    cells = frame(cell("pathwise", squared_bias=(-0.04, -0.05, -0.01), gradient_norm=2.0))
    found = [cells[name].item() for name in ("relative_bias", "relative_bias_low", "relative_bias_high")]
    assert found == pytest.approx([0.0, 0.0, 0.03**0.5 / 2])
    assert relative_bias(Interval(-0.04, -0.05, -0.01), 2.0) == pytest.approx(found)
