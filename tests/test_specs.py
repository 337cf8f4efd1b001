"""The text form of a component: what is written reads back, what is malformed is refused in one line."""

import math
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators.interface import specs
from estimators.registry import make_estimator, make_problem


@dataclass(frozen=True)
class Inner:
    name = "inner"
    rate: float = 1.0


@dataclass(frozen=True)
class Outer:
    name = "outer"
    count: int = 3
    flag: bool = False
    kind: Literal["auto", "sobol"] = "auto"
    inner: Inner = field(default_factory=Inner)
    limit: float | None = None
    data: object = field(init=False, default=None)


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("plain", "plain", {}),
        ("  spaced : a = 1 , b=2 ", "spaced", {"a": "1", "b": "2"}),
        ("outer:base=(inner:a=1,b=2),c=3", "outer", {"base": "inner:a=1,b=2", "c": "3"}),
        ("a:b=(c:d=(e:f=1),g=2)", "a", {"b": "c:d=(e:f=1),g=2"}),
        ("a:b=(c)", "a", {"b": "c"}),
    ],
)
def test_split(text: str, name: str, options: dict[str, str]) -> None:
    assert specs.split(text) == (name, options)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":a=1",
        "a:",
        "a: ",
        "a:b",
        "a:b=",
        "a:=1",
        "a:b=1,",
        "a:b=1,b=2",
        "a:b=(c:d=1",
        "a:b=c)",
        "a:b=)c(",
        "a b=1,c=(",
        "(a)",
        "a,b",
        "a=b",
        "a\n:b=1",
        "a:b=\x00",
        'a"b',
    ],
)
def test_malformed_specs_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        specs.split(text)
    assert str(refused.value).isprintable()


def test_canonical_leaves_out_defaults_sorts_keys_and_nests() -> None:
    assert specs.canonical(Outer()) == "outer"
    assert specs.canonical(Outer(flag=True, count=4)) == "outer:count=4,flag=true"
    assert specs.canonical(Outer(inner=Inner(2.5))) == "outer:inner=(inner:rate=2.5)"
    assert specs.canonical(Outer(limit=0.0)) == "outer:limit=0"
    assert "data" not in specs.options(Outer)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_as_itself(value: float) -> None:
    text = specs.canonical(Inner(value)).partition("rate=")[2] or "1"
    assert specs.convert(text, float, "rate") == value


@settings(deadline=None)
@given(dim=st.integers(1, 10**6), k=st.floats(-1e6, 1e6), loc=st.floats(-1e300, 1e300))
def test_a_problem_reads_back_as_itself(dim: int, k: float, loc: float) -> None:
    built = make_problem(f"gaussian-cosine:k={k!r},loc={loc!r},dim={dim}")
    assert make_problem(built.spec) == built
    assert make_problem(built.spec).spec == built.spec


VALUES = st.one_of(
    st.sampled_from(
        ["nan", "inf", "-1", "0", "1e400", "true", "(", ")", "(pathwise)", "none", "", "9" * 400, "0x10", "\0"]
    ),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(repr),
)
KEYS = st.sampled_from(["dim", "k", "loc", "base", "scheme", "control_variate", "temperature", "logit"]) | st.text(
    max_size=8
)
SPECS = st.builds(
    lambda name, options: name + ":" + ",".join(f"{key}={value}" for key, value in options),
    st.sampled_from(["gaussian-cosine", "bernoulli-toy", "stratified", "score-function", "gumbel-softmax"]) | st.text(),
    st.lists(st.tuples(KEYS, VALUES), max_size=3),
)


@settings(deadline=None, max_examples=300)
@given(text=st.text(max_size=60) | st.text("ab-:=,().1 ", max_size=30) | SPECS)
@pytest.mark.parametrize("make", [make_estimator, make_problem])
def test_no_text_raises_anything_but_a_valueerror_of_one_line(make, text: str) -> None:
    try:
        assert make(text).spec
    except ValueError as refusal:
        assert len(str(refusal).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("score-function:control_variate=none", "score-function"),
        ("stratified:scheme=latin-hypercube,base=pathwise", "stratified"),
        (
            "stratified:scheme=sobol,base=(score-function:control_variate=(moving-average:decay=0.5))",
            "stratified:base=(score-function:control_variate=(moving-average:decay=0.5)),scheme=sobol",
        ),
    ],
)
def test_canonical_spec_of_an_estimator(text: str, canonical: str) -> None:
    assert make_estimator(text).spec == canonical
    assert make_estimator(canonical) == make_estimator(text)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", int, 3),
        ("-3", int, -3),
        ("1e-3", float, 0.001),
        ("True", bool, True),
        ("false", bool, False),
        ("sobol", Literal["auto", "sobol"], "sobol"),
        ("none", float | None, None),
        ("0.5", float | None, 0.5),
        ("text", str, "text"),
    ],
)
def test_convert(text: str, kind: object, value: object) -> None:
    found = specs.convert(text, kind, "option")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1.5", int),
        ("one", int),
        ("nan", float),
        ("inf", float),
        ("yes", bool),
        ("1", bool),
        ("sobl", Literal["auto", "sobol"]),
    ],
)
def test_convert_names_the_option_and_the_bad_value(text: str, kind: object) -> None:
    with pytest.raises(ValueError, match=rf"the option.*{text}"):
        specs.convert(text, kind, "the option")


def test_the_nearest_known_name_is_offered() -> None:
    known = ["pathwise", "score-function"]
    specs.check_known("estimator", "pathwise", known)
    with pytest.raises(ValueError, match="did you mean 'pathwise'"):
        specs.check_known("estimator", "pathwize", known)
    with pytest.raises(ValueError, match="known: pathwise, score-function"):
        specs.check_known("estimator", "zzz", known)
    with pytest.raises(ValueError) as refused:
        specs.check_known("estimator", "a\nb", [])
    assert str(refused.value) == r"unknown estimator 'a\nb'; known: none"


def test_a_spec_is_the_same_for_equal_numbers() -> None:
    assert make_problem("gaussian-quadratic:k=2").spec == make_problem("gaussian-quadratic:k=2.0").spec
    assert make_problem("gaussian-quadratic:k=-0.0").spec == "gaussian-quadratic"
    assert math.isclose(make_problem("gaussian-quadratic:k=1e-300").k, 1e-300)  # type: ignore[attr-defined]


NESTED = "per-data-point:base=(" * 60 + "spsa" + ")" * 60


@pytest.mark.parametrize(
    "spec",
    [
        "x" * 5000,
        "spsa:" + "x" * 5000,
        "spsa:step=" + "x" * 5000,
        "pathwise:form=" + "x" * 5000,
        "spsa:step=(" + "x" * 5000,
        "stratified:base=(" * 2000 + "spsa" + ")" * 2000,
        f"importance-weighted:base=({NESTED})",
    ],
    ids=lambda spec: spec[:24],
)
def test_an_error_repeats_no_long_text(spec: str) -> None:
    """What is known may be listed; what was typed is known to who typed it."""
    with pytest.raises(ValueError) as refused:
        make_estimator(spec)
    assert len(str(refused.value)) < 600 and "…" in str(refused.value)
