"""Every variant of every estimator on every problem, as tables: `nox -s atlas`, or `python -m benchmarks.atlas`.

Runs the shipped sweep `atlas` (a run of the same commit that was interrupted is continued), says what changed beyond
chance against the tables that are kept, and writes them anew. Exits with 1 where cells failed, and leaves the tables as
they were; with 3 where something changed.
"""

import argparse
import shutil
import sys
from pathlib import Path

import msgspec

from benchmarks.atlas.changes import Changes, changes
from benchmarks.atlas.tables import read, statistics, write
from experiments.engine import choose_executor, run
from experiments.machine.provenance import provenance
from experiments.store import FAILURES, load
from experiments.sweep import read_sweep
from experiments.sweep.keys import Timing
from experiments.terminal.progress import narrator

KEPT = Path("results/reference/atlas")
SHOWN = 40
"""The most lines of a list."""
FAILED, CHANGED, INTERRUPTED = 1, 3, 130


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=KEPT, help="where the tables are (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    parser.add_argument("--only-compare", action="store_true", help="time nothing and write nothing")
    arguments = parser.parse_args()
    sweep = read_sweep("atlas").with_overrides(name=f"atlas-{arguments.seed}", seed=arguments.seed)
    if arguments.only_compare:
        sweep = msgspec.structs.replace(sweep, timing=Timing(enabled=False))
    folder = _folder(sweep.name)
    with narrator() as progress:
        outcome = run(sweep, folder, progress, executor=choose_executor(jobs=arguments.jobs))
    if outcome.interrupted:
        return INTERRUPTED
    found = load(folder)
    failed = found.cells[found.cells["status"].isin(list(FAILURES))]
    for _, cell in failed.head(SHOWN).iterrows():
        print(f"failed: {cell['problem']} · {cell['estimator']} · S = {cell['num_samples']}: {cell['error']}")
    changed = changes(read(arguments.folder), statistics(found))
    tell(changed)
    if len(failed):
        return FAILED
    if not arguments.only_compare:
        write(found, arguments.folder)
    return CHANGED if changed.changed else 0


def _folder(name: str) -> Path:
    """Where the run of this commit is; empty where it is not known what was measured there."""
    commit = provenance().get("git_commit", "")
    folder = Path("results", f"{name}-{commit[:10]}")
    if not commit or commit.endswith("dirty"):
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def tell(found: Changes) -> None:
    print(f"{found.compared:,} figures compared, of which {found.excluded:.1%} beyond 95 % intervals (chance: 5 %)")
    for title, lines in (("changed beyond chance", found.changed), ("new", found.new), ("gone", found.gone)):
        print(f"{title}: {len(lines)}")
        for line in lines[:SHOWN]:
            print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
