"""Sweeps that are too large or name what is not there, and tables of any content: a line, and never a traceback."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import MINIMAL, sweep_of

from estimators import registry
from experiments.sweep import Sweep, cells_of, read_sweep
from experiments.sweep.convert import convert

WRONG_COMPONENTS = {
    'problem = "bowl"': ["estimator", "-e"],
    'estimator = "plain"': ["problem", "-p"],
    'estimator = "plian"\nproblem = "bowl"': ["estimator", "'plian'", "'plain'"],
    'estimator = "plain"\nproblem = "bowl:dum=3"': ["problem", "'dum'", "'dim'"],
    'problem = "bowl"\nestimator = {name = "two-knobs", side = []}': ["'side' of 'two-knobs'", "empty list"],
    'problem = "bowl"\nestimator = {name = "wrapper", base = {name = "two-knobs", scale = [[]]}}': ["'scale' of"],
    'problem = "bowl"\nestimator = {scale = 3}': ["every estimator needs a name"],
    f'{MINIMAL}[[exclude]]\nestimator = "plian"': ["exclude.estimator", "'plain'"],
    f'plugins = "missing.py"\n{MINIMAL}': ["missing.py"],
    f'problem = "bowl"\nestimator.name = "plain"\nestimator.{"a." * 3000}b = 1': ["nested too deeply"],
}


@pytest.mark.parametrize("text", WRONG_COMPONENTS, ids=lambda text: text[:40])
def test_wrong_components_are_refused_by_cells(folder, text):
    file = folder / "wrong.toml"
    file.write_text(text)
    registry.load_plugin(folder / "mine.py")
    with pytest.raises(ValueError, match="sweep 'wrong'") as refusal:
        cells_of(read_sweep(file))
    message = str(refusal.value)
    assert message.isprintable()
    assert [part for part in WRONG_COMPONENTS[text] if part not in message] == []


SEVEN_LISTS_OF_TEN = ", ".join(f"option{i} = {list(range(10))}" for i in range(7))


@pytest.mark.parametrize(
    "text",
    [
        f'problem = "bowl"\nnum_samples = {list(range(1, 1002))}\nestimator = {["plain"] * 1000}',
        f'problem = "bowl"\nestimator = {{name = "x", {SEVEN_LISTS_OF_TEN}}}',
        f'problem = "bowl"\nestimator = {{name = "x", base = {{name = "y", {SEVEN_LISTS_OF_TEN}}}}}',
    ],
)
def test_too_many_cells_are_refused_before_they_are_built(folder, monkeypatch, text):
    monkeypatch.setattr(registry, "expand", lambda *_: pytest.fail("expanded"))
    with pytest.raises(ValueError, match=r"1,001,000|10,000,000") as refusal:
        cells_of(sweep_of(folder, text))
    assert "split" in str(refusal.value)


KEYS = st.sampled_from([*Sweep.__struct_fields__, "rtol", "replicates", "scale", "dim", "side", "base", "rounds"])


SCALARS = st.one_of(
    st.booleans(), st.integers(), st.integers(min_value=-(2**200), max_value=2**200), st.floats(), st.text(),
    st.datetimes(), st.dates(), st.times(),
    st.sampled_from(["plain", "two-knobs", "two-knobs:scale=2", "wrapper", "bowl", "cpu", "float64", "measure"]),
)  # fmt: skip


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(table=st.dictionaries(KEYS, VALUES, max_size=5) | st.dictionaries(KEYS | st.text(), VALUES, max_size=5))
def test_no_table_raises_anything_but_a_valueerror_of_one_line(folder, table):
    if "bowl" not in registry.components("problem"):  # once for all examples
        registry.load_plugin(folder / "mine.py")
    good = {"estimator": "plain", "problem": "bowl"}
    for keys in (table, good | table, good | {"exclude": table}, good | {"stop": table}):
        try:
            cells = cells_of(convert(keys, Sweep, "some.toml"))
        except ValueError as refusal:
            assert len(str(refusal).splitlines()) == 1
        else:
            assert cells or "exclude" in keys
