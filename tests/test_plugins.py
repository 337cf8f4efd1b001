"""Plug-ins: what they register, what is refused, and what their digests cover."""

import os
import sys
from pathlib import Path

import pytest
from test_registry import ESTIMATOR, written

from estimators.registry import (
    components,
    load_plugin,
    make_estimator,
    make_problem,
    source_digest,
    source_is_known,
)

CONTROL_VARIATE = """
    from dataclasses import dataclass
    import torch
    from estimators import ControlVariate, register_control_variate

    @register_control_variate("{name}")
    @dataclass(frozen=True)
    class Nothing(ControlVariate):
        def term(self, samples):
            return torch.zeros_like(samples.cost)
"""


def test_a_plugin_registers_what_it_defines(tmp_path: Path) -> None:
    load_plugin(written(tmp_path, ESTIMATOR.format(name="mine")))
    assert make_estimator("mine:factor=3").spec == "mine:factor=3"
    load_plugin(str(written(tmp_path, CONTROL_VARIATE.format(name="nothing"), "other.py")))
    assert make_estimator("score-function:control_variate=nothing").spec == "score-function:control_variate=nothing"
    assert "score-function:control_variate=nothing" in components("estimator")["score-function"].variants()


def test_an_edited_plugin_takes_the_place_of_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although it has the size and the second of the old one, of which Python may keep bytecode."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = written(tmp_path, ESTIMATOR.format(name="mine"))
    second = path.stat().st_mtime_ns
    load_plugin(path)
    load_plugin(path)
    old = make_estimator("mine")
    digest = source_digest(old)
    path.write_text(path.read_text().replace("2.0", "5.0"))
    os.utime(path, ns=(second, second))
    load_plugin(path)
    new = make_estimator("mine")
    assert (old.factor, new.factor) == (2.0, 5.0)  # type: ignore[attr-defined]
    assert source_digest(new) != digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('no luck')", "no luck"),
        ("import a_module_that_does_not_exist", "a_module_that_does_not_exist"),
        (ESTIMATOR.format(name="pathwise"), "exists already"),
        ("import sys; sys.exit('bye')", "bye"),
        (ESTIMATOR.format(name="mine").replace("(frozen=True)", ""), "frozen"),
        (ESTIMATOR.format(name="mine").replace("(Estimator)", ""), "subclass of Estimator"),
    ],
)
def test_a_broken_plugin_is_refused_with_its_reason(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    before = set(sys.modules)
    with pytest.raises(ValueError, match=said) as refused:
        load_plugin(path)
    assert "plugin.py" in str(refused.value)
    assert "mine" not in components("estimator")
    assert not [name for name in set(sys.modules) - before if name.startswith("gradmark_plugin")]


def test_what_is_no_python_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        load_plugin(tmp_path / "nothing.py")
    with pytest.raises(ValueError):
        load_plugin(tmp_path)
    with pytest.raises(ValueError, match=r"\.py"):
        load_plugin(written(tmp_path, "x = 1", "plugin.txt"))
    (tmp_path / "binary.py").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(ValueError, match="could not be loaded"):
        load_plugin(tmp_path / "binary.py")


def test_the_digest_covers_nested_plugins_and_nothing_that_is_shipped(tmp_path: Path) -> None:
    assert source_digest(make_estimator("score-function:control_variate=leave-one-out")) == ""
    assert source_digest(make_problem("logistic-regression")) == ""
    path = written(tmp_path, CONTROL_VARIATE.format(name="nothing"))
    load_plugin(path)
    outer = make_estimator("stratified:base=(score-function:control_variate=nothing)")
    first = source_digest(outer)
    assert len(first) == 64
    path.write_text(path.read_text() + "\n# edited\n")
    assert source_digest(outer) != first


SUBCLASS = """
    from dataclasses import dataclass
    from estimators import register_estimator
    from someone_elses import Mine

    @register_estimator("inherited")
    @dataclass(frozen=True)
    class Inherited(Mine):
        more: float = 1.0
"""


def test_the_digest_covers_what_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    base = written(tmp_path, ESTIMATOR.format(name="mine"), "someone_elses.py")
    load_plugin(written(tmp_path, SUBCLASS))
    made = make_estimator("stratified:base=inherited")
    assert source_is_known(made)
    first = source_digest(made)
    base.write_text(base.read_text() + "\n# edited\n")
    assert source_digest(made) != first
    monkeypatch.delitem(sys.modules, "someone_elses")
    base.unlink()
    assert not source_is_known(made), "a base without a source, as in a notebook"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("float = 2.0", "float"), "Mine: the option factor needs a default"),
        (("def surrogate", "def surogate"), "Mine lacks surrogate, which every estimator defines"),
        (('("mine")', '("Bad Name:x=1")'), "'Bad Name:x=1' cannot name Mine"),
    ],
)
def test_a_plugin_whose_class_cannot_be_built_is_refused(gradmark, tmp_path: Path, change, said: str) -> None:
    text = ESTIMATOR.format(name="mine")
    assert change[0] in text
    code, out, err = gradmark("check", str(written(tmp_path, text.replace(*change))))
    assert code == 2 and said in err and err.count("\n") == 1 and not out
