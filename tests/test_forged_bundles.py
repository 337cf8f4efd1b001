"""Bundles whose figures were edited by somebody who made the hashes fit: refused, and what is wrong is named."""

import json
import random
import re
import warnings

import pytest
from bundles import GONE, SWEEP, bundled, edited, of

from experiments.ranking.board import boards
from experiments.ranking.digest import digest
from experiments.store import StoreError, load
from experiments.verifying.consistency import misfits


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return bundled(tmp_path_factory.mktemp("honest"), SWEEP.format(more=""))


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    sweep = SWEEP.format(more="").replace("{ enabled = false }", "{ rounds = 3 }")
    return bundled(tmp_path_factory.mktemp("timed"), sweep)


@pytest.fixture
def verified(gradmark):
    return lambda file, *more: gradmark("verify", str(file), "--cells", "9", "--seed", "5", *more)


FACTORS = {name: 1.25 for name in ("total_variance", "total_variance_low", "total_variance_high")}


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        ("cells.jsonl", of("pathwise", **FACTORS), r"differs .* pathwise .* total_variance "),
        (
            "cells.jsonl",
            of("pathwise", verdict="biased"),
            r"contradicts itself: pathwise .*: the verdict biased does not",
        ),
        ("cells.jsonl", of("score-function", evaluations=0.5), r"differs .* score-function .* evaluations +2 +4 "),
        ("cells.jsonl", of("exact", claim="biased"), r"differs .* exact .* claim +biased +unbiased"),
        (
            "cells.jsonl",
            lambda text: (
                text.replace(b'"pathwise"', b'"x"')
                .replace(b'"score-function"', b'"pathwise"')
                .replace(b'"x"', b'"score-function"')
            ),
            r"differs .* score-function .* total_variance ",
        ),
        ("cells.jsonl", of("pathwise", total_variance="Infinity"), r"differs .* total_variance "),
        (
            "cells.jsonl",
            of("pathwise", gradient_norm=1.2),
            r"contradicts itself: pathwise .*: gradient_norm is not that of the reference",
        ),
        (
            "cells.jsonl",
            of("pathwise", mse_low=GONE),
            r"contradicts itself: pathwise .*: mse has not all of its interval",
        ),
        ("cells.jsonl", of("pathwise", replicates=100), r"differs .* pathwise .* precision .* by 2,003,200 "),
        ("cells.jsonl", of("pathwise", estimator="pathwise "), r"estimator 'pathwise ' is written 'pathwise'"),
        ("cells.jsonl", of("pathwise", p_value=GONE), r"the verdict \w+ has no p-value"),
        ("cells.jsonl", of("pathwise", reference="none"), r"it has mse, and no reference"),
        ("cells.jsonl", of("pathwise", verdict="unbiased", detectable_bias=1e3), r"does not follow from a detectable"),
        ("cells.jsonl", of("pathwise", total_variance_low=0.0, total_variance_high="Infinity"), r"from its groups"),
        ("parameters.jsonl", lambda text: text.replace(b'"mean": 1.9', b'"mean": 1.2'), r"differs .* mean of loc\["),
        ("signals.jsonl", lambda text: b"", r"differs .* entries of the signals +0 +"),
        ("parameters.jsonl", lambda text: text.split(b"\n", 1)[1], r"differs .* entries of the parameters "),
    ],
)
def test_figures_that_do_not_come_out_again_are_named_although_the_hashes_fit(honest, verified, name, edit, told):
    changed = edited(honest, name, edit, hashed=True)
    code, out, _ = verified(changed)
    assert code == 3 and re.search(told, out) and "was measured by gradmark" not in out, out


def test_the_same_edits_without_the_hashes_name_the_cell_and_compute_nothing(honest, verified):
    code, out, err = verified(edited(honest, "cells.jsonl", of("pathwise", **FACTORS)))
    assert code == 3 and not err
    assert re.search(r"^edited\.zip: cell \w+ \(pathwise on gaussian-quadratic:dim=2, S=4\) was changed$", out, re.M)


NUMBERS = (0, -1, 1, 3.5, 1e-300, 1e300, -1e300, "Infinity", "-Infinity", None, "a text", [], [0.0] * 64)
TABLES = ("cells", "parameters", "signals", "timings", "leave_one_out")


def mutated(chance: random.Random):
    """An edit of a few values of a table, whatever they are."""

    def edit(text: bytes) -> bytes:
        rows = [json.loads(line) for line in text.splitlines()]
        for _ in range(chance.choice([1, 1, 3, 30])):
            row = chance.choice(rows)
            row[chance.choice(list(row))] = chance.choice(NUMBERS)
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()

    return edit


@pytest.mark.parametrize("seed", range(60))
def test_values_of_all_kinds_are_refused_or_opened_and_never_fail_later(timed, seed):
    chance = random.Random(seed)
    changed = edited(timed, f"{chance.choice(TABLES)}.jsonl", mutated(chance), hashed=True)
    try:
        found = load(changed)
    except StoreError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of figures that overflow
        misfits(found)
        boards({"forged": found})
        digest(found, 100)
