"""What was found on a problem, in a sentence: what to use, how much better than the plain estimator, how sure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.ranking.order import DISPUTED, plain_of
from experiments.ranking.stored import Placed, Ranking
from experiments.ranking.trained import Trained
from experiments.store.columns import Row
from experiments.terminal.numbers import number, percent, seconds

__all__ = ["Finding", "sentence_of_training"]

REASONS = 2
"""Estimators without a place that are told of."""


@dataclass(frozen=True)
class Finding:
    """A ranking in words."""

    ranking: Ranking
    named: Mapping[str, str]
    """What the estimators are called."""
    several: bool
    """Whether the run has several devices or dtypes, so that a cell has to say which is its own."""

    @property
    def sentence(self) -> str:
        usable = [one for one in self.ranking.placed if one.ranked.usable]
        if not usable:
            return self._nothing()
        best, *others = usable
        if best.ranked.vague:
            return f"no advice: the error of {self._who(best)}, which comes first, is not known to a factor of ten"
        told = f"{self._who(best)}: {self._compared(best, others)}{self._ties(others)}; {_bias(best.row)}"
        return f"{told}; not ranked: {self._unranked}" if self.ranking.unranked else told

    def _nothing(self) -> str:
        if any(one.ranked.aside == DISPUTED for one in self.ranking.placed):
            return "no advice: two ways to its gradient have found different ones, which a warning names"
        if self.ranking.placed:
            return "no advice: no estimator of this gradient is unbiased and finite here"
        return f"no advice: {self._unranked}"

    @property
    def _unranked(self) -> str:
        reasons = [f"{self.named[name]} ({why})" for name, why in self.ranking.unranked.items()]
        return ", ".join(reasons[:REASONS]) + (f" and {len(reasons) - REASONS} more" if len(reasons) > REASONS else "")

    def _compared(self, best: Placed, others: Sequence[Placed]) -> str:
        """How much better the best is than the plain estimator; where it is that itself, than the next."""
        plain = plain_of([best, *others], lambda one: one.row["estimator"])
        if not others:
            return "no other to compare with"
        against = plain if plain is not None and plain is not best else others[0]
        itself = "the plain one is the best, with " if plain is best else ""
        whom = self._name(against)
        if best.ranked.figure.value == 0:
            return f"{itself}no noise at all, unlike {whom}"
        ratio = against.ranked.over(best.ranked)
        doubt = "" if ratio.low > 1 else "perhaps "
        times = f"{number(ratio.value)} [{number(ratio.low)}, {number(ratio.high)}] times"
        return f"{itself}{doubt}{times} less {self.ranking.quantity} for the time than {whom}"

    def _ties(self, others: Sequence[Placed]) -> str:
        names = list(dict.fromkeys(self._name(one) for one in others if one.ranked.tied))
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f" (not told apart from it: {names[0]}{more})" if names else ""

    def _name(self, one: Placed) -> str:
        return self.named[one.row["estimator"]]

    def _who(self, one: Placed) -> str:
        where = f" on {one.row['device']} in {one.row['dtype']}" if self.several else ""
        samples = one.row["num_samples"]
        most = ", the most tried" if samples == self.ranking.samples[-1] != self.ranking.samples[0] else ""
        return f"{self._name(one)} with S = {samples:,}{most}{where}"


def sentence_of_training(found: Trained, named: Mapping[str, str]) -> str:
    """What trains a problem soonest, and how much sooner than the plain estimator."""
    best = found.rows[0]
    if found.target is None or best["seconds_to_target"] is None or not best["reached"]:
        return "no advice: no estimator got to a common objective with all seeds"
    told = f"{_setting(best, named)} gets to an objective of {number(found.target)} first"
    told += f", in {number(best['steps_to_target'])} steps, {seconds(best['seconds_to_target'])}"
    others = [row for row in found.rows[1:] if row["estimator"] != best["estimator"]]
    plain = plain_of([best, *others], lambda row: row["estimator"])
    against = plain if plain is not None and plain is not best else next(iter(others), None)
    if against is None:
        return told
    whom = named[against["estimator"]]
    if against["seconds_to_target"] is None or not against["reached"]:
        return f"{told}; {whom} does not"
    return f"{told}; {number(against['seconds_to_target'] / best['seconds_to_target'])} times sooner than {whom}"


def _setting(row: Row, named: Mapping[str, str]) -> str:
    return f"{named[row['estimator']]} with S = {row['num_samples']:,}, {row['training']},"


def _bias(row: Row) -> str:
    """How sure it is that an estimator has no bias."""
    if row["verdict"] is None or row["detectable_bias"] is None:
        return "its bias is unknown, without a reference"
    return f"no bias above {percent(row['detectable_bias'])}"
