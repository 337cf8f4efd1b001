"""The same gradients by others, measured beside gradmark on one core: `nox -s peers`, or `python -m
benchmarks.peers.compare [CASE …]`.

Every implementation is first checked: its mean against the exact gradient, and its variance against gradmark's own
(the running baseline of Pyro is another estimator, so that its variance is its own). Then all are timed in turn, round
by round; a ratio is formed within a round. Exits with 1 where a mean or a variance is wrong, with 3 where a target is
missed.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers.figure import throughput
from benchmarks.peers.limits import limits
from benchmarks.peers.targets import TARGETS
from benchmarks.peers.work import CASES, Block, Case, Moments
from benchmarks.speed import seconds_per_call, use_one_core
from estimators.registry import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.machine.provenance import provenance
from experiments.measuring.find_reference import find_reference
from experiments.measuring.moments import Sampling
from experiments.measuring.reference import Reference
from experiments.terminal.tables import markdown_table

PEERS = {"torch_loop": "torch", "pyro_elbo": "pyro", "storch_expectation": "storch", "jax_vmap": "jax", "ours": "torch"}
"""The package that each module of this folder needs."""
OTHER_VARIANCE = {"Pyro"}
ROUNDS = 9
CHECK_SECONDS = 1.5
BOUND_REPLICATES = 2_048
LARGEST_Z = 6.0
"""Exceeded by chance in one of 10,000 entries once in 50,000 checks."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"the beginning of a name; all: {names(CASES)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least 7 (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where table.csv and table.md go; default: nowhere")
    arguments = parser.parse_args()
    chosen = [case for case in CASES if not arguments.cases or case.name.startswith(tuple(arguments.cases))]
    use_one_core()
    rows = []
    for case in chosen:
        print(f"\n{case.title}", flush=True)
        rows += compare(case, max(arguments.rounds, 7))
    table = pd.DataFrame(rows)
    if arguments.folder is not None:
        write(table, arguments.folder)
    return 1 if not all(table["right"]) else 3 if "missed" in set(table["met"]) else 0


def names(cases: list[Case]) -> str:
    return ", ".join(case.name for case in cases)


def compare(case: Case, rounds: int) -> list[dict[str, object]]:
    """Check and time all implementations; a row each."""
    blocks = {name: made for module in PEERS for name, made in implementations(module, case).items()}
    checked = {name: moments(block, CHECK_SECONDS) for name, (block, _) in blocks.items()}
    wrong = faults(checked, known_gradient(case))
    timed = {**blocks, **limits(case)}
    seconds = {name: np.empty(rounds) for name in timed}
    for index in range(rounds):
        for name, (call, size) in timed.items():
            seconds[name][index] = seconds_per_call(call) / size
    return [row(case, name, seconds, wrong.get(name, "")) for name in timed]


def known_gradient(case: Case) -> np.ndarray:
    """The exact gradient `[P]`; for the bound of K samples, which has none, group means of another estimator."""
    problem = make_problem(case.problem)
    if case.estimator == "iwae":
        sampling = Sampling(prepare(problem, make_estimator("dreg"), case.num_samples, seed=1), None)
        while sampling.replicates < BOUND_REPLICATES:
            sampling.grow(sampling.block)
        assert sampling.groups is not None
        return sampling.groups.mean
    reference = find_reference(prepare(problem, make_estimator(case.estimator), case.num_samples))
    assert isinstance(reference, Reference)
    return reference.groups


def implementations(module: str, case: Case) -> dict[str, tuple[Block, int]]:
    """The implementations of a module; none where its package is not installed."""
    try:
        importlib.import_module(PEERS[module])
    except ImportError:
        print(f"{PEERS[module]} is not installed: left out")
        return {}
    return importlib.import_module(f"benchmarks.peers.{module}").blocks(case)


def moments(block: Block, seconds: float) -> Moments:
    """The moments of all gradients that a few seconds give, at least three blocks."""
    parts, began = [], time.perf_counter()
    while len(parts) < 3 or time.perf_counter() - began < seconds:
        parts.append(block())
    counts = np.array([part.replicates for part in parts])[:, None]
    total = int(counts.sum())
    mean = (counts * [part.mean for part in parts]).sum(0) / total
    within = ((counts - 1) * [part.variance for part in parts]).sum(0)
    between = (counts * ([part.mean for part in parts] - mean) ** 2).sum(0)
    return Moments(total, mean, (within + between) / (total - 1))


def faults(found: dict[str, Moments], reference: np.ndarray) -> dict[str, str]:
    """Errors by implementation. `reference`: the exact gradient `[P]`, or group means `[G, P]`."""
    groups = np.atleast_2d(reference)
    exact = groups.mean(0)
    error = groups.var(0, ddof=1) / len(groups) if len(groups) > 1 else np.zeros_like(exact)
    ours = found["gradmark"].variance.sum()
    wrong = {}
    for name, (replicates, mean, variance) in found.items():
        known = variance > 0
        errors = np.sqrt(variance[known] / replicates + error[known])
        z = float(np.max(np.abs(mean - exact)[known] / errors))
        ratio = variance.sum() / ours
        # A variance of R gradients of P entries is known to a few times √(2/R); heavy tails are why it is a few.
        if z > LARGEST_Z:
            wrong[name] = f"the mean is {z:.1f} standard errors from the gradient in an entry"
        elif name not in OTHER_VARIANCE and abs(np.log(ratio)) > 10 * np.sqrt(2 / replicates):
            wrong[name] = f"the variance is {ratio:.2f} times that of gradmark"
    return wrong


def row(case: Case, name: str, seconds: dict[str, np.ndarray], wrong: str) -> dict[str, object]:
    """The row of one implementation, which is also printed: how many times faster the compiled gradmark is."""
    low, ratio, high = np.quantile(seconds[name] / seconds["gradmark, compiled"], [0.25, 0.5, 0.75])
    target = TARGETS.get(case.name, {}).get(name)
    met = "" if target is None else "met" if ratio >= target else "missed"
    line = f"{name:22}{1 / np.median(seconds[name]):14,.0f} gradients/s{ratio:10.3g} ({low:.3g} to {high:.3g})"
    print(f"{line}{'' if target is None else f'  target {target:g}: {met}'}{wrong and '  WRONG: ' + wrong}", flush=True)
    return {
        "case": case.name,
        "implementation": name,
        "gradients_per_second": 1 / np.median(seconds[name]),
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "target": np.nan if target is None else target,
        "met": met,
        "right": not wrong,
    }


def write(table: pd.DataFrame, folder: Path) -> None:
    """table.csv, table.md and throughput.png. Cases that were not measured keep their rows, of the same machine."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "table.csv"
    if file.exists():
        before = pd.read_csv(file).query("case not in @table.case.unique()")
        table = pd.concat([before, table], ignore_index=True).sort_values(["case"], kind="stable")
    table.to_csv(file, index=False)
    columns = ["case", "implementation", "gradients per second", "gradmark, compiled, is faster by", "target"]
    rows = [[str(row["case"]), str(row["implementation"]), *_figures(row)] for row in table.to_dict("records")]
    known = provenance()
    machine = ", ".join(f"{name} {known[name]}" for name in ("cpu", "torch", "python", "gradmark") if known.get(name))
    (folder / "table.md").write_text(f"One core of: {machine}.\n\n{markdown_table(columns, rows)}\n", "utf-8")
    throughput(table).savefig(folder / "throughput.png")


def _figures(row: dict[Any, Any]) -> list[str]:
    times = f"{row['ratio']:.3g} [{row['ratio_low']:.3g}, {row['ratio_high']:.3g}]"
    target = "" if np.isnan(row["target"]) else f"{row['target']:g}, {row['met']}"
    return [f"{row['gradients_per_second']:,.0f}", times, target]


if __name__ == "__main__":
    sys.exit(main())
