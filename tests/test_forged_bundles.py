"""Bundles whose figures were edited by somebody who made the hashes fit: refused, and what is wrong is named."""

import re

import pytest
from bundles import GONE, SWEEP, bundled, edited, of


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return bundled(tmp_path_factory.mktemp("honest"), SWEEP.format(more=""))


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
