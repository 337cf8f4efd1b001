"""The benchmarks run, on what the registry has; the gate judges as its thresholds say, from what asv wrote."""

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asv_runner.discovery import disc_benchmarks, get_benchmark_from_name
from torch.distributions import Distribution

from benchmarks import cases, gradients, instructions, networks, seeded, steps, whole
from benchmarks.gate import THRESHOLDS
from estimators.registry import make_estimator

ROOT = Path(__file__).parents[1]


WHOLE = [whole.ColdStart, whole.SweepOverhead, whole.Memory]


FOUND = [one.name for one in disc_benchmarks(str(ROOT / "benchmarks"))]


SUITES = [gradients.Gradients, seeded.Seeded, instructions.Instructions, networks.Networks, *WHOLE]


@pytest.fixture(autouse=True)
def argument_checks() -> Iterator[None]:
    """A benchmark turns those of distributions off for its process, which here is that of other tests."""
    before = Distribution._validate_args
    yield
    Distribution.set_default_validate_args(before)


def test_the_tracked_cases_are_those_of_the_registry():
    assert cases.registered() == cases.CASES, "python -m benchmarks.cases"
    assert all(cases.CASES.values())


def test_the_suites_are_all_that_asv_finds():
    assert {name.split(".")[1] for name in FOUND} == {suite.__name__ for suite in SUITES}


ONCE = {"number": 1, "repeat": 1, "warmup_time": 0, "rounds": 1}


@pytest.mark.parametrize("name", FOUND)
def test_every_benchmark_runs(name: str, monkeypatch: pytest.MonkeyPatch):
    """As asv runs it, once, on pathwise where there is a choice; what callgrind counts is left to the slow tests."""
    first = next(pair for pair in seeded.PAIRS if pair.startswith("pathwise on "))
    monkeypatch.setattr(seeded, "PAIRS", {first: seeded.PAIRS[first]})
    monkeypatch.setattr(instructions.Instructions, "setup_cache", lambda self: {"pathwise": 800_000})
    points = list(itertools.product(*get_benchmark_from_name(str(ROOT / "benchmarks"), name)._params))
    named = [f"{point[0]} ".startswith("pathwise ") for point in points]
    index = named.index(True) if any(named) else 0
    benchmark = get_benchmark_from_name(str(ROOT / "benchmarks"), f"{name}-{index}", ONCE)
    benchmark.set_cache(benchmark.do_setup_cache())
    assert not benchmark.do_setup(), "skipped"
    found = benchmark.do_run()
    benchmark.do_teardown()
    value = found["samples"][0] if isinstance(found, dict) else found
    assert value > 0 and benchmark.unit in THRESHOLDS


def test_steps_to_count_come_after_one_that_does_nothing():
    made = instructions.prepared(["pathwise", "relax"])
    assert next(made)() is None
    assert [step() for step in made] == [None] * 2


def test_an_estimator_that_fails_or_is_not_there_takes_no_count_of_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(cases.CASES, "no-such-estimator", ["gaussian-quadratic"])
    monkeypatch.setattr(type(make_estimator("spsa")), "surrogate", lambda *arguments: 1 / 0)
    found = [instructions._error(name) for name in ("pathwise", "no-such-estimator", "spsa")]
    assert found == [None, "", "ZeroDivisionError: division by zero"]


def test_instructions_are_counted_of_what_was_asked_for(monkeypatch: pytest.MonkeyPatch):
    assert instructions._asked() == list(cases.CASES)
    monkeypatch.setenv(instructions.SELECTION, "\n".join((r"^instructions.*\('spsa'\)$", "('relax'|nothing)")))
    assert set(instructions._asked()) == {"spsa", "relax"}
    monkeypatch.setenv(instructions.SELECTION, "time_gradient")
    assert not instructions._asked()


def test_a_bug_is_not_taken_for_what_an_earlier_commit_lacks(monkeypatch: pytest.MonkeyPatch):
    def fit(*arguments: object) -> None:
        raise ValueError("all input arrays must have the same shape")

    monkeypatch.setattr(type(make_estimator("spsa")), "fit", fit)
    with pytest.raises(ValueError, match="same shape"):
        steps.workload.__wrapped__("spsa", "gaussian-quadratic")


def test_what_is_unsupported_or_fails_is_told_apart():
    suite = seeded.Seeded()
    pair = "pathwise on gaussian-quadratic"
    assert pair in seeded.PAIRS and "arm on gaussian-quadratic" not in seeded.PAIRS
    with pytest.raises(NotImplementedError, match="this commit does not have pathwise on gaussian-quadratic"):
        suite.setup({}, pair)
    with pytest.raises(RuntimeError, match="ValueError: no luck"):
        suite.setup({pair: "ValueError: no luck"}, pair)


def test_tracked_numbers_are_the_known_ones():
    found = seeded.numbers("pathwise", "gaussian-quadratic")  # 10 dimensions, d = 1, S = 10: (4 + 4 + 8) D / S
    assert found.evaluations == 10 and abs(found.total_variance - 16) < 0.5


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_instructions_are_counted_alike_twice():
    one, two = (instructions.Instructions().setup_cache() for _ in range(2))
    assert set(one) == set(two) == set(cases.CASES)
    assert all(abs(float(one[name]) / float(two[name]) - 1) < 0.02 for name in one)


ASV = (sys.executable, "-m", "asv")


def test_the_suite_passes_the_check_of_asv():
    subprocess.run([*ASV, "check", "--python=same"], cwd=ROOT, check=True, capture_output=True)
