"""`gradmark reproduce`: what agrees, what differs, and what is refused."""

import json
from pathlib import Path

import pytest
from published_figures import SCALED, SHIPPED, altered, sweep_file
from rich.cells import cell_len

from experiments import reproduction
from experiments.reproduction import Figure, Found, figures_of
from experiments.reproduction.found import PART, target
from experiments.statistics import Interval
from experiments.sweep import Published, read_sweep, shipped_sweeps
from experiments.terminal import tables

ARM = 'estimator = "arm"\nproblem = "bernoulli-toy:dim=1,t=0.49"\nquantity = "total-variance"\nvalue = '
TOY = {
    "estimator": "scaled-leave-one-out",
    "problem": "bernoulli-shared-logit",
    "quantity": "total-variance",
    "value": 0.007275,
    "reading": "2 %",
    "source": "enumeration",
}
MEAN = {
    "estimator": "pathwise",
    "problem": "gaussian-quadratic:dim=1",
    "quantity": "gradient",
    "parameter": "loc",
    "value": 2.0,
    "reading": 0.1,
    "source": "2 loc",
}


def test_a_shipped_sweep_agrees(gradmark):
    code, out, err = gradmark("reproduce", "dimitriev2021", "--figure", "found.png")
    assert code == 0 and out.count("  agrees\n") == 3 and "differs" not in out + err
    assert "wrote found.png" in err and Path("found.png").read_bytes().startswith(b"\x89PNG")
    assert "Dimitriev & Zhou 2021" in out and "3 of 3 published figures agree" in err


@pytest.mark.parametrize("value", ["0.996e-5", "0.664e-5"])
def test_a_number_changed_by_a_fifth_is_refused(gradmark, tmp_path, value):
    file = altered(tmp_path, "dimitriev2021", f"{ARM}0.83e-5", f"{ARM}{value}")
    code, out, err = gradmark("reproduce", file)
    assert code == 3 and out.count("  differs\n") == 1 and out.count("  agrees\n") == 2
    assert "gradmark: arm on bernoulli-toy:dim=1,t=0.49 differs from Dimitriev & Zhou 2021" in err
    assert "2 of 3 published figures agree" in err


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.02, 3), (0.98, 3)])
def test_an_estimator_that_is_off_by_2_percent_differs(gradmark, tmp_path, factor, code):
    (tmp_path / "scaled.py").write_text(SCALED)
    row = TOY | {"estimator": f"scaled-leave-one-out:factor={factor}"}
    assert gradmark("reproduce", sweep_file(tmp_path, row, num_samples=2, plugins=["scaled.py"]))[0] == code


@pytest.mark.parametrize(("logit", "code"), [(-4, 0), (-3.7, 3)])
def test_a_wrong_constant_of_the_problem_differs(gradmark, tmp_path, logit, code):
    row = TOY | {"estimator": "score-function", "problem": f"bernoulli-shared-logit:logit={logit}", "value": 0.0335568}
    row["reading"] = "10 %"
    assert gradmark("reproduce", sweep_file(tmp_path, row))[0] == code


def test_json_has_every_figure_as_closely_as_it_was_read(gradmark, tmp_path):
    code, out, _ = gradmark("reproduce", sweep_file(tmp_path, MEAN), "--json")
    (found,) = json.loads(out)
    assert code == 0 and found["verdict"] == "agrees" and found["sweep"] == "mine"
    assert (found["published"], found["reading_error"], found["source"]) == (2.0, 0.1, "2 loc")
    assert found["measured_low"] < 2.0 < found["measured_high"]
    assert found["measured_high"] - found["measured_low"] <= 2 * 0.1 / PART
    _, again, _ = gradmark("reproduce", sweep_file(tmp_path, MEAN), "--json")
    _, other, _ = gradmark("reproduce", sweep_file(tmp_path, MEAN), "--json", "--seed", "7")
    assert again == out and json.loads(other)[0]["measured"] != found["measured"]


def test_a_figure_is_measured_to_a_third_of_its_reading_error_until_it_differs():
    """1.4 errors away, it would agree if a third of the distance sufficed."""
    row = Published(**MEAN)
    near, far = Interval(2.14, 2.09, 2.19), Interval(2.14, 2.11, 2.17)
    assert target(row, near) == pytest.approx(0.1 / PART) and target(row, far) == pytest.approx(0.14 / PART)


def test_what_takes_longer_than_its_budget_stays_undecided(gradmark, tmp_path):
    code, out, err = gradmark("reproduce", sweep_file(tmp_path, MEAN | {"reading": 1e-6}), "--seconds", "0.01")
    assert code == 1 and "undecided" in out and "more --seconds would decide" in err
    assert "0 of 1 published figures agree" in err


def test_what_cannot_be_measured_has_its_reason(gradmark, tmp_path):
    row = MEAN | {"estimator": "arm"}
    code, out, err = gradmark("reproduce", sweep_file(tmp_path, row, num_samples=2))
    assert code == 1 and "  failed\n" in out and "could not be measured: arm needs" in err


def test_ctrl_c_prints_what_is_known(gradmark, monkeypatch):
    def interrupted(*arguments):
        yield next(reproduce(*arguments))
        raise KeyboardInterrupt

    reproduce = reproduction.reproduce
    monkeypatch.setattr(reproduction, "reproduce", interrupted)
    code, out, err = gradmark("reproduce", "dimitriev2021", "--figure", "found.png")
    assert code == 130 and out.count("  agrees\n") == 1 and "1 of 3 published figures agree" in err


@pytest.fixture
def as_published(monkeypatch) -> list[Figure]:
    """In place of measuring: every figure is what was published; those that were asked for."""
    asked = []

    def found(figures, *_):
        for one in figures:
            asked.append(one)
            value, half = one.row.value, one.row.error / (PART + 1)
            yield Found(one, Interval(value, value - half, value + half))

    monkeypatch.setattr(reproduction, "reproduce", found)
    return asked


def test_without_a_name_all_shipped_figures_are_measured(gradmark, as_published):
    code, out, err = gradmark("reproduce")
    assert code == 0 and {figure.sweep for figure in as_published} == SHIPPED
    assert out.count("  agrees\n") == len(as_published)
    assert f"{len(as_published)} of {len(as_published)} published figures agree" in err


def test_a_terminal_of_100_columns_holds_the_tables(gradmark, monkeypatch, as_published):
    monkeypatch.setattr(tables.Console, "is_terminal", True)
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = gradmark("reproduce")
    assert code == 0 and max(map(cell_len, out.splitlines())) <= 100


WRONG = {
    "quantity": ({"quantity": "varience"}, "published[0]: unknown quantity 'varience'; did you mean 'variance'?"),
    "origin": ({"origin": "figure"}, "unknown origin 'figure'; known: exact, plot, text"),
    "no value": ({"value": None}, "published[0]: there is no value"),
    "no source": ({"source": None}, "there is no source"),
    "empty source": ({"source": " "}, "say where the value was published"),
    "nan": ({"value": "nan"}, "value"),
    "reading": ({"reading": "a tenth"}, "or a part of the value as in"),
    "no reading": ({"reading": 0}, "reading must be above 0"),
    "reading of nothing": ({"value": 0.0, "reading": "5 %"}, "reading must be above 0"),
    "key": ({"figure": 3}, "unknown key 'published.figure'"),
    "scale": ({"gradient_scale": 0.0}, "gradient_scale must be finite and not 0"),
    "problem": ({"problem": "gaussian-quadratic:dim=2"}, "unknown problem of the sweep 'gaussian-quadratic:dim=2'"),
    "no problem at all": ({"problem": "gausian-quadratic"}, "did you mean 'gaussian-quadratic'?"),
    "estimator": ({"estimator": "score-function"}, "unknown estimator of the sweep 'score-function'"),
    "num_samples": ({"num_samples": 5}, "no cell of pathwise on gaussian-quadratic:dim=1 with num_samples = 5"),
    "several": ({"num_samples": [1, 2]}, "gradient is of one num_samples, not [1, 2]"),
    "rate": ({"quantity": "snr-rate"}, "snr-rate needs three values of num_samples or more, not [1]"),
    "parameter": ({"parameter": "scale"}, "unknown parameter of gaussian-quadratic:dim=1 'scale'"),
    "no parameter": ({"parameter": None}, "name its parameter, one of loc, log_scale"),
    "entry": ({"entry": 1}, "entry must be below 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_refused_in_one_line(gradmark, tmp_path: Path, case):
    changes, said = WRONG[case]
    row = {key: value for key, value in (MEAN | changes).items() if value is not None}
    file = sweep_file(tmp_path, row, estimator=["pathwise"], problem=["gaussian-quadratic:dim=1"])
    code, out, err = gradmark("reproduce", file)
    assert code == 2 and not out and err.count("\n") == 1 and err.startswith("gradmark: ")
    assert said in err and "mine" in err


def test_a_sweep_without_figures_names_those_that_have_some(gradmark):
    code, _, err = gradmark("reproduce", "quickstart")
    assert code == 2 and "quickstart has no [[published]] figures" in err and "kool2020" in err
    assert gradmark("reproduce", "kool2021")[0] == 2


def test_a_training_has_no_figures(gradmark, tmp_path):
    file = sweep_file(tmp_path, MEAN, experiment="train")
    code, _, err = gradmark("reproduce", file)
    assert code == 2 and "published has no place in experiment" in err


def test_every_shipped_figure_is_well_formed_and_could_differ():
    """A value changed by a fifth is beyond what may have been read and what is measured."""
    found = {name: figures_of(read_sweep(name)) for name in shipped_sweeps()}
    assert {name for name, figures in found.items() if figures} == SHIPPED
    for figure in (figure for figures in found.values() for figure in figures):
        row = figure.row
        assert any(year in row.source for year in ("2018", "2020", "2021", "2022")), row
        assert row.value == 0 or row.error * (1 + 1 / PART) < 0.2 * abs(row.value), row
