"""`gradmark list`: by kind and by name."""

import json

from experiments.commands.list import LISTED, entries
from experiments.terminal.formulas import plain


def test_a_name_has_its_whole_text_its_formula_its_options_and_its_paper(gradmark):
    code, out, _ = gradmark("list", "leave-one-out")
    assert code == 0 and out.startswith("leave-one-out (control variate of score-function)\n")
    assert "b_s = 1 / (S-1) Σ_(r ≠ s) f(x_r)" in out and "S of at least 2" in out and "Salimans & Knowles 2014" in out
    code, out, _ = gradmark("list", "stratified:scheme=sobol")
    assert code == 0 and "latin-hypercube" in out and "antithetic, grid, latin-hypercube, sobol" in out
    code, out, _ = gradmark("list", "quickstart", "--json")
    assert code == 0 and [entry["name"] for entry in json.loads(out)["sweeps"]] == ["quickstart"]


def test_a_typo_is_met_with_the_nearest_name(gradmark):
    code, _, err = gradmark("list", "leav-one-out")
    assert code == 2 and "did you mean 'leave-one-out'?" in err
    code, _, err = gradmark("list", "estimator")
    assert code == 2 and "did you mean 'estimators'?" in err


def test_no_summary_is_cut_and_none_has_code_in_it():
    for kind in LISTED:
        for entry in entries(kind):
            summary = entry["summary"]
            assert not set("\\$") & set(summary), entry["name"]
            assert not summary.endswith((" Dr", " of", " the", ",", ":")), entry["name"]
            assert summary.count("(") == summary.count(")"), entry["name"]


def test_no_formula_leaves_code_behind():
    texts = {entry["name"]: plain(entry["text"]) for kind in LISTED for entry in entries(kind)}
    assert not [name for name, text in texts.items() if set("\\$") & set(text)]
    assert plain(r"$\frac{1}{S-1} \sum_{r \neq s} \tilde f(x_r)$") == "1 / (S-1) Σ_(r ≠ s) f\N{COMBINING TILDE}(x_r)"
