"""The results of a run: one SQLite file, one transaction a cell, so that a run killed at any instant can go on.

A finished run is one plain file that can be read from anywhere. While it is written, a write-ahead log lies beside it
(readers see what is committed) and the one writer holds `.lock`. A bundle is a run in
one archive that can be given away.
"""

from experiments.store.bundles import Changed, bundle
from experiments.store.merging import Merged, merge
from experiments.store.opening import load
from experiments.store.reading import Run, states
from experiments.store.schema import CELL_COLUMNS, FAILURES, Source, States, StoreError
from experiments.store.writing import Store

__all__ = [
    "CELL_COLUMNS",
    "FAILURES",
    "Changed",
    "Merged",
    "Run",
    "Source",
    "States",
    "Store",
    "StoreError",
    "bundle",
    "load",
    "merge",
    "states",
]
