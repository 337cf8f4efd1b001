"""Figures as files, and the settings of matplotlib around them."""

import io
from pathlib import Path

import matplotlib
import pytest
from frames import grid
from matplotlib.figure import Figure

from experiments.plots import plot, plots, save_plots


def test_settings_neither_leak_out_nor_in():
    cells = grid(3, 2, (1, 10))
    expected = io.BytesIO()
    plot(cells, "bias").savefig(expected, format="png", dpi=60)
    with matplotlib.rc_context({"font.size": 30.0, "lines.linewidth": 9.0, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        figure = plot(cells, "bias")
        assert dict(matplotlib.rcParams) == before
    found = io.BytesIO()
    figure.savefig(found, format="png", dpi=60)
    assert found.getvalue() == expected.getvalue()


def test_save_plots_writes_every_kind(tmp_path: Path):
    for format, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        paths = save_plots(plots(grid(2, 1)), tmp_path / "new" / format, format)
        assert [path.name for path in paths] == [f"{kind}.{format}" for kind in ("variance", "bias", "variance-time")]
        assert all(path.read_bytes().startswith(magic) for path in paths)
        assert sorted(paths[0].parent.iterdir()) == sorted(paths)


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_same_cells_same_bytes(tmp_path: Path, format: str):
    first, second = (save_plots(plots(grid(2, 1), ["bias"]), tmp_path / name, format)[0].read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("kinds", "format", "message"),
    [
        (["variance", "varince"], "png", "unknown kind of figure 'varince'; did you mean 'variance'?"),
        (["variance"], "jpg", "unknown format 'jpg'; did you mean 'png'?"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(
    tmp_path: Path, kinds: list[str], format: str, message: str
):
    with pytest.raises(ValueError, match="unknown") as error:
        save_plots(plots(grid(2, 1), kinds), tmp_path / "new", format)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="did you mean 'bias'"):
        plot(grid(2, 1), "bais")


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path: Path):
    (path,) = save_plots(plots(grid(2, 1), ["bias"]), tmp_path)
    before = path.read_bytes()
    with path.open("rb") as reader:
        save_plots(plots(grid(3, 1), ["bias"]), tmp_path)
        assert reader.read() == before != path.read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (path,) = save_plots(plots(grid(2, 1), ["bias"]), tmp_path)
    before = path.read_bytes()

    def fail(self: Figure, file: Path, **_: object) -> None:
        file.write_bytes(b"half of")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="no space"):
        save_plots(plots(grid(3, 1), ["bias"]), tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
