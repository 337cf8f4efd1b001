"""Which cells are computed anew, and when their figures differ."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from estimators.registry import components, make_estimator, make_problem
from experiments.engine import run
from experiments.gradients.prepare import prepare
from experiments.statistics import Interval
from experiments.statistics.multiple import rejected
from experiments.store import Run, load
from experiments.sweep import Sweep
from experiments.sweep.convert import convert
from experiments.terminal.progress import silent
from experiments.verifying import Answer, verify
from experiments.verifying.choice import chosen
from experiments.verifying.figures import Figure, Found, figures

BITS = "bernoulli-toy:dim=8,t=0.45"


def test_cells_are_chosen_by_chance():
    rows = [{"key": str(index)} for index in range(95)]
    taken = [[row["key"] for row in chosen(rows, None, seed)] for seed in range(300)]
    assert {len(one) for one in taken} == {10} and all(len(set(one)) == 10 for one in taken)
    counts = np.unique([int(key) for one in taken for key in one], return_counts=True)[1]
    assert len(counts) == 95 and counts.max() < 70, "about 32 each"
    assert chosen(rows[:3], None, 0) and len(chosen(rows, 1_000, 0)) == 95


def test_comparisons_are_corrected_for_their_number():
    """All together give a false alarm as often as is said, however many they are; and none is hidden by others."""
    source = np.random.default_rng(0)
    alarms = sum(any(rejected(source.uniform(size=40).tolist(), 0.05)) for _ in range(4_000))
    assert abs(alarms - 200) < 4 * 200**0.5
    assert rejected([0.04, 0.01, 0.03], 0.05) == [False, True, False] and rejected([], 0.05) == []
    assert rejected([0.02, 0.01, 0.0], 0.05) == [True, True, True], "the smaller, the fewer are left"
    row, good = {"key": "a"}, Figure("fine", "1", "1", 0.5)
    answer = Answer(0, 1, [(row, [replace(good, p_value=5e-4), *[good] * 9])])
    assert not answer.judged(1e-3)[0].different and answer.judged(1e-2)[0].different


def measured(folder: Path, **asked: object) -> Run:
    sweep = convert(
        {"stop": {"replicates": 6_400}, "timing": {"enabled": False}, "num_samples": [4]} | asked, Sweep, ""
    )
    run(sweep, folder, silent())
    return load(folder)


def test_what_was_learned_is_learned_again_and_met_by_other_noise(short_fits):
    """Figures are conditional on a fit: by another one they would be others."""
    workload = prepare(make_problem(BITS), make_estimator("relax"), 4, seed=1)
    other = workload.on_noise_of(2)
    assert other.estimator is workload.estimator and other.fitted and other.seed == 2
    assert not other.gradients(0).equal(workload.gradients(0))
    batches = prepare(make_problem("logistic-regression"), make_estimator("pathwise"), 4, seed=1, batch=8).on_noise_of(
        2
    )
    assert batches.on_all_data is not None and batches.on_all_data.seed == 2


def test_an_estimator_that_learns_verifies(short_fits, tmp_path):
    found = measured(tmp_path, estimator=["relax"], problem=[BITS])
    ((row, of_it),) = verify(found, 1, silent()).found
    assert row["fitted"] and not Answer(1, 1, [(row, of_it)]).judged(1e-3)[0].different
    assert {figure.name.partition(" of ")[0] for figure in of_it} >= {"mean", "total_variance", "mse", "squared_bias"}


ROW = {
    "optimizer": None,
    "nonfinite": 0,
    "replicates": 6_400,
    "dtype": "float32",
    "verdict": "unbiased",
} | dict.fromkeys(["claim", "target", "evaluations", "p_value", "gradient_norm", "reference", "warnings", "kurtosis"])
UNKNOWN = {
    f"{name}{end}": None
    for name in ("squared_bias", "snr", "cosine", "scale", "mean_cosine", "batch_share", "mse")
    for end in ("", "_low", "_high")
}

NO_ARMS = {"variance_low": None, "variance_high": None}


def cell(variance: tuple[float, float, float], **changes: object) -> Found:
    known = dict(zip(("total_variance", "total_variance_low", "total_variance_high"), variance, strict=True))
    return Found(ROW | UNKNOWN | known | changes, [], [])


def p_value(kept: Found, here: Found, name: str = "total_variance") -> float:
    (found,) = [figure.p_value for figure in figures(kept, here) if figure.name == name]
    return found


def test_variances_are_compared_by_their_ratio():
    """Intervals of 4 % either way: 5 % apart is chance, 20 % is not."""
    one, near, far = (cell((x, x / 1.04, x * 1.04)) for x in (1.0, 1.05, 1.2))
    assert 0.05 < p_value(one, near) < 0.3 and p_value(one, far) < 1e-7 and p_value(far, one) < 1e-7
    assert p_value(one, one) == 1.0 == p_value(one, cell((1.2, 0.0, np.inf))), "nothing is known here"
    assert p_value(cell((np.inf, 1.0, np.inf)), one) == 0.0, "what is infinite is no interval around what came out"
    assert p_value(cell((0.0, 0.0, 0.0)), one) == 0.0 == p_value(one, cell((0.0, 0.0, 0.0)))
    assert p_value(replace(one, row=one.row | {"total_variance": None}), one) == 0.0


def test_rare_events_that_one_side_has_not_met():
    """Of one that was met the logarithm of the variance has an error of 1; of a hundred, of a tenth."""
    none, one, many = cell((0.0, 0.0, 0.0)), cell((1.0, np.exp(-2), np.exp(2))), cell((1.0, np.exp(-0.2), np.exp(0.2)))
    for rare, never in ((one, none), (none, one)):
        assert p_value(rare, never) == pytest.approx(np.exp(-1), rel=0.01)
    assert p_value(many, none) < 1e-30 and p_value(none, many) < 1e-30


def test_a_wide_interval_around_a_better_figure_excuses_nothing():
    """Errors that are kept count at no more than twice those that come out here, unless the figure looks worse."""
    here = cell((1.0, 1 / 1.04, 1.04))
    for low, high in ((0.0, np.inf), (1e-9, 1e9), (0.5, 2.0)):
        assert p_value(cell((0.7, low, high)), here) < 1e-7 and p_value(cell((0.95, low, high)), here) > 0.05
    assert p_value(cell((1.5, 0.5, 4.5)), here) > 0.1, "it may have met a rare large estimate"
    for name, value, looks_better in (("squared_bias", 0.5, True), ("snr", 1.5, True), ("snr", 0.5, False)):
        kept, found = (
            replace(here, row=here.row | Interval.entries(name, Interval(*one)))
            for one in ((value, -np.inf, np.inf), (1.0, 0.98, 1.02))
        )
        assert (p_value(kept, found, name) < 1e-7) == looks_better
    still = cell((1.0, 1 / 1.0005, 1.0005))
    assert p_value(cell((0.99, 0.98, 1.0)), still) > 0.05, "it may have met a rare small estimate"
    exact = replace(here, row=here.row | Interval.entries("cosine", Interval(1.0, 1.0, 1.0)))
    rounded = replace(here, row=here.row | Interval.entries("cosine", Interval(1 - 1e-7, 1 - 1e-7, 1 - 1e-7)))
    assert p_value(rounded, exact, "cosine") > 0.05 and p_value(exact, rounded, "cosine") > 0.05
    ends = dict.fromkeys(Interval.columns("mse")[1:], None)
    known = replace(here, row=here.row | Interval.entries("mse", Interval(1.0, 0.9, 1.1)))
    assert p_value(replace(known, row=known.row | ends), known, "mse") == 0.0, "its ends are missing"
    signal = replace(here, row=here.row | Interval.entries("snr", Interval(0.1, 0.01, 0.2)))
    assert "snr" not in {one.name for one in figures(here, signal)}, "chance may hide a weak signal"


def test_replicates_that_there_were_not_are_seen_by_the_interval():
    here, rare = (cell((1.0, 1 / 1.04, 1.04), kurtosis=kurtosis) for kurtosis in (3.0, 50.0))
    for forged in (cell((1.0, 1 / 1.04, 1.04), replicates=64_000), cell((1.0, 1 / 1.01, 1.01))):
        assert p_value(forged, here, "precision") == 0.0
        assert "precision" not in {one.name for one in figures(forged, rare)}, "large estimates are rare there"
    assert "precision" not in {one.name for one in figures(cell((1.0, 1 / 1.06, 1.06)), here)}


def test_a_large_entry_of_a_bundle_is_no_rounding():
    entry = {"parameter": "loc", "index": 0, "mean": 1.0, "variance": 1.0, "variance_low": 0.9, "variance_high": 1.1}
    forged = entry | {"mean": 1e12, "variance": 1e30, "variance_low": None}
    kept, here = (replace(cell((x, x / 1.04, x * 1.04)), parameters=[one]) for x, one in ((0.1, forged), (1.0, entry)))
    assert p_value(kept, here) < 1e-7
    (of_entry,) = [figure for figure in figures(kept, here) if figure.name.startswith("variance in parameters")]
    assert (of_entry.kept, of_entry.p_value) == ("missing", 0.0)


def test_of_many_entries_one_may_be_far_off_by_chance():
    """One of 100 that is 3.5 standard errors away is nothing; 7 are something."""

    def entries(first: float) -> list[dict]:
        means = [first] + 99 * [0.0]
        return [
            {"parameter": "loc", "index": i, "mean": mean, "variance": 64.0} | NO_ARMS for i, mean in enumerate(means)
        ]

    one, *others = (replace(cell((1.0, 0.9, 1.1)), parameters=entries(x * 0.1 * 2**0.5)) for x in (0.0, 3.5, 7.0))
    usual, far = (p_value(one, other, "mean of loc[0]") for other in others)
    assert 0.03 < usual < 0.2 and far < 1e-6


def test_heavy_tails_are_not_judged_by_their_intervals():
    here = cell((1.2, 1.15, 1.25), warnings="heavy tails: the variance may be larger than its interval says")
    assert "total_variance" not in {figure.name for figure in figures(cell((1.0, 0.96, 1.04)), here)}
    assert p_value(here, cell((1.0, 0.96, 1.04))) < 1e-5, "what a bundle says of its tails excuses nothing"


def test_gradients_that_are_not_finite_are_counted():
    rare, often = cell((1.0, 0.9, 1.1), nonfinite=3), cell((1.0, 0.9, 1.1), nonfinite=60)
    assert p_value(rare, cell((1.0, 0.9, 1.1)), "nonfinite") > 0.1
    assert p_value(rare, often, "nonfinite") < 1e-10


@pytest.mark.parametrize("denied", [{"p_value": 0.5}, {"p_value": 0.02, "verdict": "undetermined"}, {}])
def test_a_bias_that_a_bundle_denies_is_seen(denied):
    kept = cell((1.0, 0.9, 1.1), **denied)
    here = [cell((1.0, 0.9, 1.1), verdict="biased", p_value=p) for p in (1e-30, 5e-4)]
    assert p_value(kept, here[0], "verdict") < 1e-5
    assert not denied or p_value(kept, here[1], "verdict") > 0.01, "both are at the edge of what is seen"
    assert "verdict" not in {one.name for one in figures(here[0], kept)}, "here chance may have been kind"


def test_the_gradient_is_that_of_the_problem():
    known = cell((1.0, 0.9, 1.1), reference="exact", gradient_norm=2.0)
    sides = ((2.001, "exact", False), (2.01, "exact", True), (2.1, "measured", False), (3.0, "measured", True))
    for norm, reference, differ in sides:
        kept = replace(known, row=known.row | {"gradient_norm": norm, "reference": reference})
        assert ("gradient_norm" in {one.name for one in figures(kept, known)}) == differ


@pytest.mark.slow
def test_honest_figures_of_every_estimator_give_few_alarms(tmp_path):
    """p-values below a level are not more than the level says, whichever the estimator, however it learns."""
    specs = [spec for cls in components("estimator").values() for spec in cls.variants()]
    found = measured(tmp_path, estimator=specs, problem=["gaussian-cosine:dim=4,k=2", BITS])
    told = [one for seed in (1, 2) for _, one in verify(found, seed, silent(), cells=10**6).found]
    smallest = np.array([min(figure.p_value for figure in one) * len(one) for one in told])
    assert len(smallest) > 150
    for level in (0.1, 0.01, 0.001):
        assert (smallest < level).sum() <= level * len(smallest) + 3 * (level * len(smallest)) ** 0.5 + 1
