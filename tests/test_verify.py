"""`gradmark verify`: what is honest verifies wherever it was measured, and what is not is named."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from bundles import SWEEP, bundled, edited, of
from processes import own_tables

from experiments.store import load
from experiments.store.columns import records
from experiments.terminal.progress import silent
from experiments.verifying import verify
from experiments.verifying.choice import cell_of

MINE = """
from dataclasses import dataclass
from pathlib import Path
from estimators import Estimator, register_estimator, sample

Path("was-run").touch()

@register_estimator("mine")
@dataclass(frozen=True)
class Mine(Estimator):
    def surrogate(self, problem, params, noise):
        while problem.name == "gaussian-cosine": pass
        if problem.name == "gaussian-exponential": raise SystemExit(0)
        return 1.0 * problem.cost(sample(problem.distribution(params), noise), params).mean(0)
"""
TRAINING = """
experiment = "train"
estimator = "pathwise"
problem = "gaussian-quadratic:dim=2"
train = { steps = 20, record = 5, seeds = 4 }
timing = { enabled = false }
"""


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return bundled(tmp_path_factory.mktemp("honest"), SWEEP.format(more=""))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """With a plug-in."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "mine.py").write_text(MINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return bundled(folder, 'plugins = "mine.py"\n' + SWEEP.format(more=', "mine"'))


@pytest.fixture
def verified(gradmark) -> Callable[..., tuple[int, str, str]]:
    return lambda file, *more: gradmark("verify", str(file), "--cells", "9", "--seed", "5", *more)


def test_an_honest_bundle_verifies(honest, verified, gradmark):
    code, out, err = verified(honest)
    assert code == 0 and out.splitlines()[-1].startswith(
        "3 of 3 cells computed anew (--seed 5 does it again): 0 differ"
    )
    assert sum(line.startswith("agrees") for line in out.splitlines()) == 3, out + err
    code, out, _ = gradmark("verify", str(honest))
    assert code == 0 and "1 of 3 cells computed anew" in out, "a tenth, and one at least"


def test_a_difference_from_another_version_says_so(honest, verified):
    changed = edited(honest, "cells.jsonl", of("pathwise", claim="biased"), hashed=True)
    other = edited(changed, "provenance.json", lambda text: b'{"gradmark": "9.9"}', hashed=True)
    assert "the bundle was measured by gradmark 9.9, here is " in verified(other)[1]


def test_a_bundle_of_another_kind_of_machine_verifies(tmp_path, verified):
    """Other arithmetic, another device and other noise: what was computed in float64 is as if a GPU had rounded it."""
    made = bundled(tmp_path, SWEEP.format(more="") + 'dtype = "float64"\n')
    there = edited(
        made,
        "cells.jsonl",
        lambda text: text.replace(b'"float64"', b'"float32"').replace(b'"device": "cpu"', b'"device": "cuda"'),
        hashed=True,
    )
    code, out, err = verified(there)
    assert code == 0 and "3 of 3 cells computed anew" in out, out + err


def test_plug_ins_are_not_run_unless_they_are_trusted(foreign, verified, tmp_path):
    code, out, err = verified(foreign)
    assert code == 4 and "3 of 4 cells computed anew" in out and not (tmp_path / "was-run").exists()
    why = "code of a bundle could do anything on this machine: read it, and repeat with --trust"
    assert err.splitlines()[-1] == f"gradmark: 1 cells need what is not here: {why}"
    with own_tables():
        code, out, _ = verified(foreign, "--trust")
    assert code == 0 and "4 of 4 cells computed anew" in out and (tmp_path / "was-run").exists()


def test_a_changed_plug_in_is_refused_by_its_hash_or_by_its_figures(foreign, verified):
    def scaled(text: bytes) -> bytes:
        return text.replace(b"1.0 *", b"1.2 *")

    code, out, _ = verified(edited(foreign, "plugins/1/mine.py", scaled), "--trust")
    assert code == 3 and out == "edited.zip: plugins/1/mine.py was changed\n"
    with own_tables():
        code, out, _ = verified(edited(foreign, "plugins/1/mine.py", scaled, hashed=True), "--trust")
    assert code == 3 and re.search(r"differs .* mine .* mean of ", out), out


def test_a_plug_in_is_not_written_outside_of_its_folder(foreign):
    """A store file may say anything: only archives are refused for their paths."""
    found = load(foreign)
    escaping = replace(found, sources=(found.sources[0]._replace(path="../../evil.py"),))
    with pytest.raises(ValueError, match=r"plug-in '\.\./\.\./evil\.py' is not written, since it leaves the folder"):
        verify(escaping, 1, silent(), trust=True)


def test_what_never_ends_costs_itself_alone(foreign, verified):
    stuck = edited(foreign, "cells.jsonl", of("mine", problem="gaussian-cosine:dim=2"), hashed=True)
    with own_tables():
        code, out, err = verified(stuck, "--trust", "--seconds", "0.2")
    assert code == 1 and "3 of 4 cells computed anew" in out
    assert "mine on gaussian-cosine:dim=2, S=4: it takes longer than 2 s" in err


def test_what_ends_the_process_does_not_end_verifying(foreign, verified):
    ended = edited(foreign, "cells.jsonl", of("mine", problem="gaussian-exponential:dim=2"), hashed=True)
    with own_tables():
        code, out, err = verified(ended, "--trust")
    assert code == 1 and "3 of 4 cells computed anew" in out and "SystemExit" in err


@pytest.mark.parametrize(
    "spec", ["policy-gradient:advantage=(advantages:function=antigravity:fly)", "score-function:control_variate=(x"]
)
def test_a_spec_imports_nothing(honest, verified, spec, monkeypatch):
    monkeypatch.setattr("importlib.import_module", lambda name: pytest.fail(name))
    code, _, err = verified(edited(honest, "cells.jsonl", of("exact", estimator=spec), hashed=True))
    assert code == 4 and "gradmark: 1 cells need what is not here: " in err


@pytest.mark.parametrize(("changes", "told"), [({"dtype": "int8"}, "dtype"), ({"order": 7}, "order must be")])
def test_what_cannot_be_measured_is_said(honest, verified, changes, told):
    code, out, err = verified(edited(honest, "cells.jsonl", of("pathwise", **changes), hashed=True))
    assert code == 1 and "2 of 3 cells" in out and told in err


def test_training_verifies_and_an_edited_objective_does_not(tmp_path, verified):
    made = bundled(tmp_path, TRAINING)
    code, out, err = verified(made)
    assert code == 0 and "1 of 1 cells computed anew" in out, out + err
    changes = {name: 9.0 for name in ("objective", "objective_low", "objective_high")}
    code, out, _ = verified(edited(made, "cells.jsonl", of("pathwise", **changes), hashed=True))
    assert code == 3 and re.search(r"differs .* objective ", out), out


def test_noise_is_never_that_of_the_bundle(honest):
    """Whatever seed is asked for: the same noise would give the same figures, right or wrong."""
    found = load(honest)
    rows = records(found.done)
    assert {row["seed"] for row in rows} == {3}
    seeds = [cell_of(row, found, seed, 60.0).seed for row in rows for seed in range(200)]
    assert 3 not in seeds and len(set(seeds)) == len(seeds)
    answer = verify(found, 3, silent(), cells=9)
    assert min(figure.p_value for _, figures in answer.found for figure in figures) < 1, "not one figure moved"


@pytest.mark.parametrize("arguments", [("--cells", "0"), ("--significance", "0"), ("--seed", "-1")])
def test_bad_usage_is_said_in_a_line(honest, gradmark, arguments):
    code, out, err = gradmark("verify", str(honest), *arguments)
    assert code == 2 and not out and err.count("\n") == 1 and arguments[0] in err


def test_what_is_no_bundle_ends_with_2(gradmark, tmp_path):
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04")
    assert gradmark("verify", "cut.zip")[0::2] == (
        2,
        "gradmark: cut.zip is no bundle that can be read: it is cut off; ask for it again where it came from\n",
    )
    assert gradmark("verify", "nowhere.zip")[0] == 2
