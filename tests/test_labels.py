"""Short names of specs: unambiguous among those that are shown, and no longer than they need to be."""

from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep import cells_of, read_sweep, shipped_sweeps
from experiments.terminal.labels import labels

IMPORTANCE = "importance-weighted:base=(score-function:control_variate=leave-one-out),proposal=defensive"


def short(*specs: str) -> list[str]:
    return list(labels(specs).values())


def test_the_quickstart_has_names_that_people_use():
    named = labels(cell.estimator for cell in cells_of(read_sweep("quickstart")))
    assert named["score-function:control_variate=leave-one-out"] == "leave-one-out"
    assert named["stratified:scheme=sobol"] == "stratified:sobol"
    assert named["pathwise"] == "pathwise" and named["score-function"] == "score-function"
    assert named[IMPORTANCE] == "importance-weighted:…"


def test_a_name_that_two_could_have_is_neither_s():
    found = short("score-function:control_variate=leave-one-out", "policy-gradient:advantage=leave-one-out")
    assert found == ["score-function:leave-one-out", "policy-gradient:leave-one-out"]
    assert short("score-function:control_variate=mine", "mine") == ["score-function:mine", "mine"]
    other = IMPORTANCE.replace("leave-one-out", "taylor")
    assert short(IMPORTANCE, other) == ["importance-weighted:leave-one-out", "importance-weighted:taylor"]


def test_options_that_all_have_in_common_are_left_out():
    assert short("gaussian-cosine:dim=100,k=2", "gaussian-cosine:dim=100,k=3") == [
        "gaussian-cosine:k=2",
        "gaussian-cosine:k=3",
    ]
    assert short("spsa:step=0.1", "spsa") == ["spsa:step=0.1", "spsa"]


def test_what_follows_a_spec_stays():
    found = short("digits-vae:dim=2, mini-batch 64", "digits-vae:dim=2", "a (variance × time)")
    assert found == ["digits-vae:dim=2, mini-batch 64", "digits-vae:dim=2", "a (variance × time)"]


def test_every_shipped_sweep_has_names_of_its_own():
    for sweep in shipped_sweeps():
        cells = cells_of(read_sweep(sweep))
        for specs in ({cell.estimator for cell in cells}, {cell.problem for cell in cells}):
            named = labels(specs)
            assert len(set(named.values())) == len(specs) and all(map(len, named.values()))


@given(st.lists(st.text("ab:=,(). -", max_size=12), max_size=6))
def test_no_two_have_one_name_whatever_they_are(specs: list[str]):
    named = labels(specs)
    assert set(named) == set(specs) and len(set(named.values())) == len(named)
