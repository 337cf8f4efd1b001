"""What a fit costs: measured where it happens, stored, and told beside the winner."""

import math
import re
import time
from dataclasses import dataclass, replace

import pytest
from torch import Tensor

from estimators.interface import Estimator, Noise, Params, Problem, learned
from estimators.noise import NoiseSource
from estimators.pathwise import Pathwise
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.loop import measure
from experiments.ranking.entries import ranked
from experiments.ranking.fits import pays_after, price_of_the_fit, time_and_fit
from experiments.ranking.standings import as_rows
from experiments.statistics import Interval

QUADRATIC = make_problem("gaussian-quadratic:dim=2")
SLEEP = 0.2


@dataclass(frozen=True)
class Slow(Estimator):
    """Pathwise, with a fit that takes a while and teaches nothing."""

    name = "slow"
    heard: bool | None = learned()

    def surrogate(self, problem: Problem, params: Params, noise: Noise) -> Tensor:
        return Pathwise().surrogate(problem, params, noise)

    def fit(self, problem: Problem, params: Params, num_samples: int, source: NoiseSource) -> "Slow":
        time.sleep(SLEEP)
        return replace(self, heard=True)


def test_the_seconds_of_a_fit_are_those_of_the_fit_alone() -> None:
    work = prepare(QUADRATIC, Slow(), 4)
    assert SLEEP <= work.fit_seconds < SLEEP + 0.5
    found = measure(QUADRATIC, Slow(), 4, replicates=64)
    assert SLEEP <= found.row()["fit_seconds"] < SLEEP + 0.5
    assert math.isnan(measure(QUADRATIC, Pathwise(), 4, replicates=64).fit_seconds)


@pytest.mark.parametrize(
    ("ratio", "steps"), [(2.0, 1_000), (1.1, 10_000), (11.0, 100), (1.0, math.inf), (0.5, math.inf)]
)
def test_a_fit_is_paid_where_the_errors_of_the_same_time_are_equal(ratio: float, steps: float) -> None:
    fit, gradient, work = 5.0, 0.005, 3.0
    found = pays_after(fit, gradient, ratio)
    assert found == pytest.approx(steps, abs=1)
    if math.isfinite(found):
        spent = found * gradient
        assert work / spent == pytest.approx(ratio * work / (spent + fit), rel=1e-2)


def test_the_price_is_told_of_a_winner_that_was_fitted() -> None:
    both = [measure(QUADRATIC, one, 4, replicates=2_048) for one in (Slow(), make_estimator("score-function"))]
    standings = ranked(both)
    assert [standing.one.estimator for standing in standings] == ["slow", "score-function"]
    said = price_of_the_fit(standings)
    assert re.match(r"Its fit takes 2\d\d ms", said) and "against score-function, which needs none" in said
    assert "pays after" in said and said.endswith(".") and "\n" not in said
    rows = as_rows(standings)
    assert rows[0]["fit_seconds"] >= SLEEP and rows[1]["fit_seconds"] is None
    assert ", fit 2" in time_and_fit(both[0]) and "fit" not in time_and_fit(both[1])
    assert price_of_the_fit(standings[1:]) == ""


def test_the_price_of_no_error_at_all_is_told() -> None:
    """An estimator without any variance comes first; a fit is then paid at once, or never against another such."""
    slow, other = (measure(QUADRATIC, one, 4, replicates=640) for one in (Slow(), make_estimator("score-function")))
    zero = Interval(0.0, 0.0, 0.0)
    still = replace(slow, total_variance=zero, mse=zero, leave_one_out={})
    assert ", and pays after 1 step against score-function" in price_of_the_fit(ranked([still, other]))
    timing = slow.timing
    assert timing is not None
    as_good = replace(other, mse=zero, total_variance=zero, timing=replace(timing, latency=2 * timing.latency))
    assert ", and does not pay against score-function" in price_of_the_fit(ranked([still, as_good]))
