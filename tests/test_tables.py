"""Tables on a terminal: no number is broken, whatever the width."""

import pytest
from rich.cells import cell_len

from experiments.terminal.numbers import interval, multiple, number, percent, seconds
from experiments.terminal.tables import text_table

COLUMNS = ["", "estimator", "verdict", "total variance", "bias/‖g‖", "time", "MSE × s [95 %]", "ratio"]
SPEC = "score-function:control_variate=(regression:control=muprop)"
ROWS = [
    ["1", "rao-blackwellized", "unbiased", "8.194e-20", "1.4e-05 %", "123 µs", "1.1e-23 [1.05e-23, 1.22e-23]", "1"],
    [
        "≈",
        "score-function:control_variate=(regression:control=muprop)",
        "undetermined",
        "2.05",
        "840 %",
        "1.2 ms",
        "",
        "5",
    ],
    ["", "dreg", "other objective", "8", "", "1 s", "", ""],
]
WHOLE = [
    "8.194e-20",
    "1.4e-05 %",
    "123 µs",
    "1.1e-23",
    "[1.05e-23,",
    "1.22e-23]",
    "840 %",
    "undetermined",
]


@pytest.mark.parametrize("width", [None, 200, 120, 100, 80, 60, 40])
def test_no_number_is_broken(width: int | None) -> None:
    text = text_table(COLUMNS, ROWS, title="a title", right=COLUMNS[3:], width=width)
    assert all(word in text for word in WHOLE) and text.startswith("a title\n")
    names = max(cell_len(row[1]) for row in ROWS) + 2
    assert width is None or all(cell_len(line) <= max(width, names) for line in text.splitlines())


def test_a_wide_terminal_has_a_line_a_row() -> None:
    lines = text_table(COLUMNS, ROWS, right=COLUMNS[3:], width=200).splitlines()
    assert (
        len(lines) == 4
        and len({line.rfind(end) + len(end) for line, end in zip(lines, ["ratio", "1", "5"], strict=False)}) == 1
    )


def test_a_folded_spec_breaks_at_its_separators() -> None:
    lines = text_table(COLUMNS, ROWS, right=COLUMNS[3:], width=110).splitlines()
    spec = "".join(line[3:22].strip() for line in lines[3:7])
    assert spec.startswith(SPEC)


def test_where_specs_take_many_lines_they_stand_above_their_rows() -> None:
    rows = [[str(place), SPEC, "unbiased", "2.05", "840 %", "1.2 ms", "1.1 [1, 1.2]", "5"] for place in range(3)]
    lines = text_table(COLUMNS, rows, right=COLUMNS[3:], width=90).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "estimator",
        *(f"{place} {SPEC}" for place in range(3)),
    ]
    assert len(lines) == 8 and lines[3].split() == [
        "unbiased",
        "2.05",
        "840",
        "%",
        "1.2",
        "ms",
        "1.1",
        "[1,",
        "1.2]",
        "5",
    ]


def test_a_narrow_terminal_has_a_paragraph_a_row() -> None:
    lines = text_table(COLUMNS, ROWS, right=COLUMNS[3:], width=60).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["1 rao-blackwellized", f"≈ {SPEC}", "dreg"]
    assert lines[-1].strip() == "verdict other objective, total variance 8, time 1 s"


def test_an_empty_table_is_its_headings() -> None:
    assert text_table(["a", "b"], [], width=80) == "a  b"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "100 %"),
        (8.4, "840 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (1e-7, "1e-05 %"),
        (1e5, "1e+07 %"),
        (None, ""),
    ],
)
def test_percentages(value: float | None, expected: str) -> None:
    assert percent(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(999.7e-6, "1 ms"), (999.2e-6, "999 µs"), (0.9996, "1 s"), (12.0, "12 s"), (3e-8, "30 ns")]
)
def test_durations(value: float, expected: str) -> None:
    assert seconds(value) == expected


def test_a_time_has_its_interval_in_its_own_unit() -> None:
    assert seconds(2e-3, 1.5e-3, 2.5e-3) == "2 [1.5, 2.5] ms" and seconds(None) == seconds(float("nan")) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (512, "512"),
        (20_000, "20,000"),
        (0.123456, "0.123"),
        (1234.5, "1,234"),
        (999.4, "999"),
        (99_999.4, "99,999"),
        (99_999.6, "1e+05"),
        (float("inf"), "∞"),
        (float("nan"), ""),
        (None, ""),
    ],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert number(value) == expected


def test_an_interval_without_bounds_is_its_value() -> None:
    assert interval(1.0, 0.5, float("inf")) == "1 [0.5, ∞]"
    assert interval(1.0, None, 2.0) == interval(1.0, float("nan"), 2.0) == "1"
    assert interval(None, 1.0, 2.0) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "1.0"),
        (2.54, "2.5"),
        (9.96, "10"),
        (40.2, "40"),
        (883.4, "883"),
        (3514, "3,500"),
        (9970, "10,000"),
        (48_600, "49,000"),
        (2e5, "2·10⁵"),
    ],
)
def test_multiples(value: float, expected: str) -> None:
    assert multiple(value) == expected
