"""The same gradients by others, measured beside gradmark on one core: `nox -s peers`, or `python -m
benchmarks.peers.compare [CASE …]`.

Every implementation is first checked: its mean against the exact gradient, and its variance against gradmark's own
(the running baseline of Pyro is another estimator, so that its variance is its own). Then all are timed in turn, round
by round; a ratio is formed within a round. For networks the whole of `measure` stands beside a loop that keeps a
running mean and variance. Exits with 1 where a mean or a variance is wrong, with 3 where a target is missed.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.peers.figure import throughput
from benchmarks.peers.limits import limits
from benchmarks.peers.networks import problem_of
from benchmarks.peers.targets import MEMORY, TARGETS
from benchmarks.peers.whole import LOOP, MEASURE, peak_bytes
from benchmarks.peers.work import CASES, NETWORKS, Block, Case, Moments, rate
from benchmarks.speed import seconds_per_call, use_one_core
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.machine.provenance import provenance
from experiments.measuring.doubling import reach
from experiments.measuring.find_reference import find_reference
from experiments.measuring.moments import Sampling
from experiments.measuring.reference import Reference
from experiments.terminal.tables import markdown_table

PEERS = {
    "torch_loop": "torch",
    "torch_vmap": "torch",
    "pyro_elbo": "pyro",
    "storch_expectation": "storch",
    "jax_vmap": "jax",
    "jax_networks": "jax",
    "torch_layers": "torch",
    "pyro_layers": "pyro",
    "storch_layers": "storch",
    "ours": "torch",
    "whole": "torch",
}
"""The package that each module of this folder needs."""
OTHER_VARIANCE = {"Pyro"}
ROUNDS = 9
CHECK_SECONDS = 1.5
FEWEST = 100
"""Gradients that a check takes at least."""
OTHERS = {"F": "dreg", "I": "sticking-the-landing", "J": "sticking-the-landing"}
"""Where the gradient is not known: another estimator of it, whose group means are compared with."""
OTHER_REPLICATES = 2_048
CHANCE = 2e-5
"""Of a mean that is right being called wrong: 6 standard errors in one of 10,000 entries."""

EAGER = ", ".join(case.name for case in CASES if not case.compiled)
COMPARED = (
    f"The figure of gradmark is that of compiled gradients, in the cases {EAGER} of eager ones. “{LOOP}” is compared "
    f"with “{MEASURE}”, which prepares, finds the exact reference (none in I and J), estimates and times; its peak "
    "memory is that of the process, torch included."
)
"""What stands above the table."""


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
    peaks = {MEASURE: peak_bytes(case) / 1e9} if case.name in NETWORKS else {}
    return [row(case, name, seconds, wrong.get(name, ""), peaks.get(name)) for name in timed]


def known_gradient(case: Case, device: str = "cpu", replicates: int = OTHER_REPLICATES) -> np.ndarray:
    """The exact gradient `[P]`; where nobody knows it, group means `[G, P]` of another estimator."""
    problem = problem_of(case)
    if case.name in OTHERS:
        other = prepare(problem, make_estimator(OTHERS[case.name]), case.num_samples, seed=1, device=device)
        sampling = Sampling(other.at_most(replicates), None)
        reach(sampling, replicates)
        assert sampling.groups is not None
        return sampling.groups.mean
    reference = find_reference(prepare(problem, make_estimator(case.estimator), case.num_samples, device=device))
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
    """The moments of all gradients that a few seconds give."""
    began = time.perf_counter()
    found = block()
    while found.replicates < FEWEST or time.perf_counter() - began < seconds:
        found = found.merged(block())
    return found


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
        if z > largest_z(known.sum()):
            wrong[name] = f"the mean is {z:.1f} standard errors from the gradient in an entry"
        elif name not in OTHER_VARIANCE and abs(np.log(ratio)) > 10 * np.sqrt(2 / replicates):
            wrong[name] = f"the variance is {ratio:.2f} times that of gradmark"
    return wrong


def largest_z(entries: float) -> float:
    """Standard errors that the mean of one of so many entries may be off."""
    return float(stats.norm.isf(CHANCE / 2 / max(entries, 1)))


def row(
    case: Case, name: str, seconds: dict[str, np.ndarray], wrong: str, peak: float | None = None
) -> dict[str, object]:
    """The row of one implementation, which is also printed: how many times faster gradmark is."""
    ours = MEASURE if name in (MEASURE, LOOP) else case.ours
    known = rate(case, name, seconds[name], seconds[name] / seconds[ours])
    low, ratio, high = known["ratio_low"], known["ratio"], known["ratio_high"]
    target = TARGETS.get(case.name, {}).get(name)
    met = "" if target is None else "met" if ratio >= target else "missed"
    if peak is not None and case.name in MEMORY:
        target, met = MEMORY[case.name], "met" if peak < MEMORY[case.name] else "missed"
    line = f"{name:26}{known['gradients_per_second']:14,.0f} gradients/s{ratio:10.3g} ({low:.3g} to {high:.3g})"
    line += "" if peak is None else f"  {peak:.2g} GB"
    line += "" if target is None else f"  target {target:g}{'' if peak is None else ' GB'}: {met}"
    print(f"{line}{wrong and '  WRONG: ' + wrong}", flush=True)
    return known | {
        "target": np.nan if target is None else target,
        "met": met,
        "peak_gigabytes": np.nan if peak is None else peak,
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
    columns = ["case", "implementation", "gradients per second", "gradmark is faster by", "peak memory", "target"]
    rows = [[str(row["case"]), str(row["implementation"]), *_figures(row)] for row in table.to_dict("records")]
    known = provenance()
    machine = ", ".join(f"{name} {known[name]}" for name in ("cpu", "torch", "python", "gradmark") if known.get(name))
    text = f"One core of: {machine}.\n\n{COMPARED}\n\n{markdown_table(columns, rows)}\n"
    (folder / "table.md").write_text(text, "utf-8")
    throughput(table).savefig(folder / "throughput.png")


def _figures(row: dict[Any, Any]) -> list[str]:
    times = f"{row['ratio']:.3g} [{row['ratio_low']:.3g}, {row['ratio_high']:.3g}]"
    peak = "" if np.isnan(row["peak_gigabytes"]) else f"{row['peak_gigabytes']:.2g} GB"
    target = "" if np.isnan(row["target"]) else f"{row['target']:g}{peak and ' GB'}, {row['met']}"
    return [f"{row['gradients_per_second']:,.0f}", times, peak, target]


if __name__ == "__main__":
    sys.exit(main())
