"""The references that are kept: listed, forgotten, and measured anew where what they came from has changed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from measurements import Custom, work
from test_check import PROBLEM, plugin

from experiments.measuring import long_run
from experiments.measuring.find_reference import find_reference
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.reference_files import forget, keep, kept, key_of

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADMARK_CACHE", str(tmp_path / "cache"))


def test_what_is_kept_is_listed_and_removed(gradmark: Command) -> None:
    workload = work("pathwise", Custom())
    keep("a", workload, Reference("measured", np.ones((64, 2)), "only two agree"))
    keep("b", work("pathwise", "gaussian-quadratic"), NoReference("nobody can"))
    code, out, _ = gradmark("cache")
    assert code == 0 and "only two agree" in out and "none found" in out and "nobody can" in out
    code, out, _ = gradmark("cache", "--clear", "-p", "gaussian-quadratic")
    assert code == 0 and out.startswith("1 removed") and [one.measured for one in kept()] == [True]
    assert forget() == 1 and not list(kept())
    assert "no reference gradients" in gradmark("cache")[1]


def test_a_file_that_is_no_reference_is_passed_over(gradmark: Command, tmp_path: Path) -> None:
    keep("a", work("pathwise", Custom()), NoReference())
    (tmp_path / "cache" / "references" / "b.npz").write_bytes(b"garbage")
    assert len(list(kept())) == 1 and forget() == 2


def test_data_that_is_no_tensor_is_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that a plug-in reads from beside its file, and keeps where nobody looks."""
    monkeypatch.setattr(long_run, "ELEMENTS", 1)

    class Hidden(Custom):
        scale = 1.0

        def cost(self, x, params):
            return self.scale * super().cost(x, params)

    before = key_of(work("pathwise", Hidden())), find_reference(work("pathwise", Hidden()))
    monkeypatch.setattr(Hidden, "scale", 3.0)
    after = key_of(work("pathwise", Hidden())), find_reference(work("pathwise", Hidden()))
    assert before[0] != after[0]
    assert isinstance(before[1], Reference) and isinstance(after[1], Reference)
    np.testing.assert_allclose(after[1].gradient, 3 * before[1].gradient, rtol=0.05)


def test_fresh_commands_measure_anew(gradmark: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept is wrong, as after a fault that has been mended. A busy machine may end what is anew early."""
    monkeypatch.setattr(long_run, "ELEMENTS", 1)
    file = plugin(tmp_path, PROBLEM)
    check = ["check", "pathwise", "-p", file, "--seconds", "0.5"]
    assert gradmark(*check)[0] == 0
    (first,) = kept()
    about = np.load(first.file)["about"]
    run = ["run", "-e", "pathwise", "-p", "silent", "--plugin", file, "--max-replicates", "64"]
    for command in (check, ["rank", file, "--seconds", "3"], run):
        np.savez(first.file, groups=np.full((64, 2), 99.0), about=about)
        if command is check:
            assert gradmark(*command)[0] == 3
        gradmark(*command, "--fresh")
        for one in filter(lambda one: one.measured, kept()):
            np.testing.assert_allclose(np.load(one.file)["groups"].mean(0), 2, atol=1)
