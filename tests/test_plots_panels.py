"""The x axis and the panels that a user asks for."""

import pytest
from drawn import axes, points
from frames import PROBLEMS, along_k, cell, frame, grid

from experiments.plots import plots


def test_variance_against_another_x():
    cells = frame(*along_k())
    for x, kind in (("seconds", "variance-time"), ("evaluations", "variance-evaluations"), ("num_samples", "variance")):
        assert list(plots(cells, x=x)) == [kind]
    both = [f"gaussian-quadratic:dim={dim},k={k}" for dim in (2, 3, 4) for k in (1, 2, 3, 4)]
    cells = frame(*(cell(problem=name, key=name) for name in both))
    for x in ("dim", "k"):
        figure = plots(cells, ["variance"], x=x)["option"]
        assert figure.subfigs[0]._supxlabel.get_text() == x  # pyright: ignore
    with pytest.raises(
        ValueError, match=r"'loc' does not take two values .*; x may be evaluations, seconds, num_samples, dim, k"
    ):
        plots(cells, x="loc")
    two = frame(*(cell(problem=f"gaussian-quadratic:dim={dim}", key=str(dim)) for dim in (2, 8)))
    assert len(points(axes(plots(two, x="dim")["option"])[0], "pathwise")) == 2, "two values, where they are asked for"
    with pytest.raises(ValueError, match="leave the kind out"):
        plots(cells, ["bias"], x="k")


def test_panels_of_estimators_have_problems_as_curves():
    (pathwise, score) = axes(plots(grid(3, 2).query("estimator != 'exact'"), facet="estimator")["variance"])
    assert [pathwise.get_title(), score.get_title()] == ["pathwise", "score-function"]
    assert all(len(points(pathwise, problem)) == 3 for problem in PROBLEMS[:2])


def test_panels_come_in_the_order_of_their_numbers():
    cells = frame(*(cell(problem=f"gaussian-quadratic:dim={dim}", key=str(dim)) for dim in (2, 16, 4)))
    titles = [ax.get_title().replace("\n", "") for ax in axes(plots(cells, ["variance"])["variance"])]
    assert titles == [f"gaussian-quadratic:dim={dim}" for dim in (2, 4, 16)]


def test_panels_of_devices_and_what_cannot_be_a_panel():
    cells = frame(cell(device="cpu"), cell(device="cuda"))
    titles = {ax.get_title().replace("\n", "") for ax in axes(plots(cells, ["bias"], facet="device")["bias"])}
    assert titles == {f"gaussian-quadratic, device = {name}" for name in ("cpu", "cuda")}
    for kinds, facet, said in ((["work"], "device", "not work"), (["variance-time"], "estimator", "not variance-time")):
        with pytest.raises(ValueError, match=said):
            plots(cells, kinds, facet=facet)
    with pytest.raises(ValueError, match="unknown facet 'devise'; did you mean 'device'"):
        plots(cells, facet="devise")
