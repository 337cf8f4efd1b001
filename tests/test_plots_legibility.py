"""Whether a figure can be read: no text is cut or covers another, and specs are wrapped."""

import io
import itertools

import matplotlib
import pytest
from drawn import AGAINST_SAMPLES, legend
from frames import cell, frame, grid
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from experiments.plots import plot
from experiments.plots.drawing.style import wrap
from experiments.terminal.numbers import tick


@pytest.mark.parametrize("kind", AGAINST_SAMPLES)
@pytest.mark.parametrize(("estimators", "problems"), [(3, 1), (16, 1), (5, 2), (16, 3), (3, 7)])
def test_no_text_overlaps_or_is_cut(kind: str, estimators: int, problems: int):
    figure = plot(grid(estimators, problems, (1, 50)), kind, title="A title of a figure")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    upper, lower = figure.subfigs
    shown = [figure._suptitle, upper._supxlabel, upper._supylabel, *lower.legends[0].get_texts()]  # pyright: ignore
    for ax in upper.axes:
        shown += [ax.title, *ax.get_xticklabels(), *ax.get_yticklabels()]
    boxes = [text.get_window_extent() for text in shown if text.get_text()] + [ax.bbox for ax in upper.axes]
    inside = figure.bbox.padded(1)
    assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in boxes)
    touching = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.padded(-0.5).overlaps(b)]
    assert touching == []


def test_the_figure_is_as_wide_as_a_paper_and_its_letters_are_not_tiny():
    for problems, width in ((1, 3.5), (3, 7.1)):
        figure = plot(grid(3, problems), "variance")
        assert figure.get_figwidth() == width
        letters = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]  # pyright: ignore
        assert min(text.get_fontsize() for text in letters) >= 6  # pyright: ignore


@given(st.text("abc=,:(.-_", max_size=60), st.integers(4, 30))
def test_wrapping_loses_nothing_and_keeps_the_width(spec: str, width: int):
    lines = wrap(spec, width, max_lines=100).split("\n")
    assert "".join(lines) == spec
    assert max(map(len, lines)) <= width


def test_an_endless_spec_is_shortened_visibly():
    assert wrap("x" * 1000, 40).endswith("…")
    assert wrap("x" * 1000, 40).count("\n") == 5


@pytest.mark.parametrize(
    ("value", "label"),
    [(0, "0"), (1, "1"), (20, "20"), (1e-3, "10⁻³"), (3e5, "3·10⁵"), (9.7e5, "10⁶"), (-1e-12, "\N{MINUS SIGN}10⁻¹²")],
)
def test_tick_labels(value: float, label: str):
    assert tick(value) == label


def test_dollar_signs_in_a_spec_are_no_formula():
    figure = plot(frame(cell(r"mine:cost=$\frac{$", "theirs:price=$_$")), "variance", title="5 $ a _$ piece")
    figure.savefig(io.BytesIO(), format="png")
    assert r"mine:cost=$\frac{$" in legend(figure)
