"""Several files of results put into one, e.g. those of a sweep that was divided between machines."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from experiments.store.columns import records
from experiments.store.opening import load
from experiments.store.reading import Run
from experiments.store.schema import FILE_NAME, RESULTS, TABLES, Source, StoreError
from experiments.store.writing import Store

__all__ = ["Merged", "merge"]


class Merged(NamedTuple):
    """What `merge` wrote."""

    cells: int
    duplicates: int
    """Cells that came from several sources, of which the most complete was taken, the first of equals."""
    missing: int
    """Cells that the sources plan and none of them has."""


def merge(sources: Sequence[str | Path], folder: str | Path) -> Merged:
    """Write the cells of all sources to new results in a folder; every cell keeps the machine that it was timed on.

    Raises:
        StoreError: a source cannot be read, or the folder has results already.
    """
    runs = [load(source) for source in sources]
    file = Path(folder) / FILE_NAME
    if file.exists():
        raise StoreError(f"{file} exists already; choose another name for what is merged")
    best: dict[str, tuple[bool, bool, int]] = {}
    for index, run in enumerate(runs):
        for key, status, timing in run.cells[["key", "status", "timing_status"]].itertuples(index=False):
            best[key] = max(best.get(key, (False, False, -len(runs))), (status == "done", timing == "done", -index))
    chosen = {key: -place for key, (_, _, place) in best.items()}
    rows = {
        table: [row for index, run in enumerate(runs) for row in _rows(getattr(run, table), table, chosen, index)]
        for table in RESULTS
    }
    provenance = {**runs[0].provenance, "merged_from": ", ".join(map(str, sources))}
    plan = dict.fromkeys(key for run in runs for key in run.plan)
    with Store.open(folder) as store:
        store.add_run(provenance, plan, runs[0].sweep, _sources(runs), rows)
    return Merged(len(best), sum(len(run.cells) for run in runs) - len(best), len(plan) - len(best))


def _sources(runs: Sequence[Run]) -> Iterable[Source]:
    """The files of all plug-ins; where runs had other versions of them, those of each run in a folder of its own."""
    versions = [found for found in dict.fromkeys(run.sources for run in runs) if found]
    if len(versions) < 2:
        return itertools.chain(*versions)
    numbered = enumerate(versions, start=1)
    return (one._replace(path=f"{number}/{one.path}") for number, found in numbered for one in found)


def _rows(frame: pd.DataFrame, table: str, chosen: dict[str, int], index: int) -> list[dict]:
    """The rows of the chosen cells; of a cell that a damaged file has lost, other tables may still have rows."""
    return records(frame.loc[[chosen.get(key) == index for key in frame["key"]], list(TABLES[table])])
