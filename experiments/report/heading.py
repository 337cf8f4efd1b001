"""What somebody reads first who was sent a report: what was found, and of what."""

from collections import Counter
from collections.abc import Mapping, Sequence

from experiments.ranking.stored import Ranking
from experiments.store import Run
from experiments.terminal.listing import listed

__all__ = ["headline", "subject"]

SHOWN = 6
"""Numbers of samples that are told one by one."""


def headline(found: Sequence[Ranking], named: Mapping[str, str]) -> str:
    """The estimator that is best on most problems; '' where nothing was compared."""
    winners = [name for one in found if (name := _winner(one)) is not None]
    if not winners:
        return ""
    (name, times), *others = Counter(winners).most_common()
    error = "variance" if all(one.quantity == "variance" for one in found) else "error"
    if len(found) == 1:
        return f"{named[name]} has the smallest {error} for the time on {found[0].problem}"
    if others and others[0][1] == times:
        return f"No estimator has the smallest {error} for the time on more than {times} of {len(found)} problems"
    where = f"all {len(found)}" if times == len(found) else f"{times} of {len(found)}"
    return f"{named[name]} has the smallest {error} for the time on {where} problems"


def _winner(ranking: Ranking) -> str | None:
    """The first, if others were compared with it and its error is known to within a factor of ten."""
    usable = [one for one in ranking.placed if one.ranked.usable]
    return usable[0].row["estimator"] if len(usable) > 1 and not usable[0].ranked.vague else None


def subject(run: Run) -> str:
    """What was measured or trained, with what numbers of samples, in what dtype, where and when; '' of no cell."""
    cells = run.done
    if cells.empty:
        return ""
    estimators, problems = (cells[name].nunique() for name in ("estimator", "problem"))
    samples = sorted({int(one) for one in cells["num_samples"]})
    of = listed([f"{one:,}" for one in samples]) if len(samples) <= SHOWN else f"{samples[0]:,} to {samples[-1]:,}"
    what = f"{estimators} estimator{'s' * (estimators > 1)} of Monte Carlo gradients"
    where = f"{problems} problem{'s' * (problems > 1)}"
    machines = sorted(set(cells["device_name"].dropna())) or [run.provenance.get("cpu", "")]
    day = str(run.provenance.get("time", ""))[:10]
    told = [f"S = {of} samples for one gradient", listed(sorted(set(cells["dtype"]))), listed(machines), day]
    return f"Bias, variance and wall-clock time of {what} on {where}: {', '.join(filter(None, told))}."
