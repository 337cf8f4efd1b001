"""An estimator in a contest, and what was found about it so far."""

from dataclasses import dataclass, field, replace

import numpy as np

from experiments.gradients.workload import Workload
from experiments.measuring import doubling
from experiments.measuring.caught import collected_warnings
from experiments.measuring.loop import extend
from experiments.measuring.measurement import Measurement
from experiments.measuring.moments import Sampling
from experiments.measuring.purse import Purse
from experiments.measuring.reference import NoReference, Reference
from experiments.measuring.stop import Stop
from experiments.statistics import GROUPS, Groups, relative_half_width
from experiments.timing.price import Price
from experiments.timing.rounds import Timing, device_name

__all__ = ["Contestant"]

ROUGH = 0.25
"""The relative half-width of the variance at which a first look ends."""
ENOUGH = 20_000
"""Replicates that a first look has where its share allows them."""


@dataclass
class Contestant:
    """A workload, its price, its replicates and what was last told of them."""

    workload: Workload
    price: Price
    sampling: Sampling
    spent: float = 0.0
    """Seconds of all its sampling."""
    told_in: float = 0.0
    """Seconds of its last summary."""
    told: Measurement | None = None
    against: Reference | NoReference | None = None
    """What it was last compared with."""
    warnings: list[str] = field(default_factory=list)
    shelved: bool = False
    """Its figures stay as they are: its moments were given up."""

    @classmethod
    def of(cls, workload: Workload, price: Price) -> "Contestant":
        return cls(workload, price, Sampling(workload, None))

    @property
    def measurement(self) -> Measurement:
        assert self.told is not None
        return self.told

    @property
    def memory(self) -> int:
        """Bytes of its moments."""
        return 0 if self.shelved else self.sampling.moments.nbytes

    def shelve(self) -> None:
        """Give up its moments: it gets no further replicates."""
        nothing = np.empty((GROUPS, 0))
        self.told = replace(self.measurement, groups=Groups(self.measurement.groups.count, nothing, nothing))
        self.sampling.begin(self.workload)
        self.shelved = True

    @property
    def pace(self) -> float:
        """Seconds that a replicate takes."""
        return self.spent / max(self.sampling.replicates, 1)

    @property
    def evaluations(self) -> int:
        """Of the cost, that a replicate takes."""
        return self.price.evaluations

    def sample(self, replicates: int, purse: Purse) -> None:
        """More replicates, up to a number of them all, or as far as a purse allows."""
        with collected_warnings() as caught:
            self.spent += doubling.reach(self.sampling, replicates, purse)
        self.warnings += caught

    def look(self, purse: Purse) -> None:
        """Enough replicates for a rough variance, as far as a purse allows."""
        while True:
            before = self.sampling.replicates
            self.sample(max(2 * before, ENOUGH if before else doubling.next_block(0)), purse)
            if self.sampling.replicates == before or self.sampling.nonfinite:
                return
            if before and relative_half_width(self.sampling.total_variance) <= ROUGH:
                return

    def tell(self, reference: Reference | NoReference, purse: Purse) -> None:
        """The figures of the replicates that there are, against a reference; times stay as they were."""
        before = purse.elapsed
        if not self.sampling.replicates:  # the memory was short, and then the time
            return
        self.sampling.compare_with(reference)
        self.against = reference
        found = extend(
            self.sampling, Stop(replicates=self.sampling.replicates), purse=Purse(0.0)
        )  # it was tested before
        timing = self._first_times if self.told is None else self.told.timing
        texts = tuple(dict.fromkeys([*self.warnings, *found.warnings]))
        self.told = replace(found, timing=timing, warnings=texts)
        self.told_in = purse.elapsed - before

    @property
    def _first_times(self) -> Timing:
        """What the calls that told the price took: they serve until there are better ones."""
        latency = np.array(self.price.calls)
        return Timing(latency, np.full(len(latency), np.nan), None, device_name(self.workload.device))
