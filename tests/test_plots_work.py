"""The map of work."""

import itertools

import numpy as np
import pytest
from drawn import texts
from frames import cell, frame, grid
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.plots import plot


def numbers_of(figure: Figure) -> dict[str, list[str]]:
    """The rows of a map of work, best first."""
    (ax,) = figure.axes
    names = [label.get_text().replace("\n", "") for label in ax.get_yticklabels()]
    shown = [text.get_text() for text in ax.texts]
    width = len(ax.get_xticks())
    return {name: shown[i * width : (i + 1) * width] for i, name in enumerate(names)}


def worked(estimator: str, problem: str, mse: float | None, **known) -> dict:
    return cell(estimator, problem, work_normalized_mse=(mse,) * 3, work_normalized_variance=(7.0,) * 3, **known)


def test_the_map_of_work_compares_with_the_best_of_each_problem_at_the_best_number_of_samples():
    cells = frame(
        worked("pathwise", "a", 2.0),
        worked("pathwise", "a", 1e9, num_samples=3),
        worked("pathwise", "b", 40.0, verdict="biased"),
        worked("spsa", "a", 5.0),
        worked("spsa", "b", 1.0),
        worked("arm", "b", 9700.0),
        worked("exact", "a", 1e-30),
        worked("dreg", "a", 1e-9, target="bound of 10 samples"),
    )
    figure = plot(cells, "work")
    assert "at the best S" in texts(figure) and "at S = 3" in texts(plot(cells.query("num_samples == 3"), "work"))
    assert numbers_of(figure) == {"spsa": ["2.5", "1.0"], "pathwise": ["1.0", "(40)"], "arm": ["\N{EN DASH}", "9,700"]}
    assert "( ): biased" in texts(figure) and "not measured" in texts(figure)
    (mesh,) = figure.axes[0].collections
    assert np.allclose(
        np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan)[:2], np.log10([[2.5, 1], [1, 40]]), equal_nan=True
    )


def test_the_map_of_work_is_of_variances_where_no_cell_has_a_reference():
    cells = frame(worked("pathwise", "a", None), worked("spsa", "a", None), worked("spsa", "b", 1.0))
    (ax,) = (figure := plot(cells, "work")).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a (variance × time)", "b"]
    assert numbers_of(figure)["pathwise"][0] == numbers_of(figure)["spsa"][0] == "1.0"


@pytest.mark.parametrize(("estimators", "problems"), [(3, 1), (16, 7)])
def test_no_label_of_the_map_of_work_is_cut_or_covers_another(estimators: int, problems: int):
    figure = plot(grid(estimators, problems, (1, 50)), "work", title="A title of a figure")
    FigureCanvasAgg(figure).draw()
    (ax,) = figure.axes
    inside = figure.bbox.padded(1)
    rows = [label.get_window_extent() for label in ax.get_yticklabels()]
    others = [label.get_window_extent() for label in ax.get_xticklabels()] + [figure._suptitle.get_window_extent()]  # pyright: ignore
    assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in rows + others)
    assert not any(a.padded(-0.5).overlaps(b) for a, b in itertools.combinations(rows, 2))
    assert not any("\n" in label.get_text() for label in ax.get_xticklabels()), "lines at an angle cross the next label"
