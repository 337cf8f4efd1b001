"""`gradmark run`."""

from pathlib import Path
from typing import Any

import click

from experiments.commands.arguments import REASONS
from experiments.commands.exits import FAILED, NOTHING
from experiments.commands.summary import print_cells
from experiments.engine import Executor, ExecutorLost, Outcome, choose_executor, remaining, run
from experiments.engine.coordinator import EVERYTHING
from experiments.engine.executor import Interrupts
from experiments.engine.forecast import forecast
from experiments.plots import plots_of, save_plots
from experiments.report import write_report
from experiments.store import FAILURES, load
from experiments.sweep import Sweep, read_sweep, sweep_from_flags
from experiments.terminal.numbers import duration
from experiments.terminal.progress import narrator

__all__ = ["run_sweep"]


def run_sweep(
    source: str | None,
    *,
    retry: str | None,
    fresh: bool,
    dry_run: bool,
    jobs: int | None,
    scheduler: str | None,
    timeout: float | None,
    **flags: Any,
) -> int:
    """Run, draw, report, summarise.

    The exit code: 0, or 1 where cells failed, or 4 where there are none to measure. KeyboardInterrupt: the run was
    interrupted, and what was finished is kept.
    """
    sweep = _sweep(source, flags)
    folder = Path("results") / sweep.name
    cells = sweep.cells()
    if not cells:
        click.echo(f"gradmark: sweep '{sweep.name}' has no cells: everything is excluded", err=True)
        return NOTHING
    redo = EVERYTHING if fresh else FAILURES if retry else frozenset()
    executor = choose_executor(jobs=jobs, scheduler=scheduler, timeout=timeout, plugins=sweep.plugins)
    if dry_run:
        return _tell(sweep, folder, redo, executor)
    with narrator() as progress:
        try:
            outcome = run(sweep, folder, progress, executor=executor, retry=redo)
        except ExecutorLost as lost:
            click.echo(f"gradmark: {lost}", err=True)
            return FAILED
        if outcome.interrupted:
            raise KeyboardInterrupt
        results = load(folder)
        progress.start("drawing", 2)
        drawings = plots_of(results)
        save_plots(drawings, folder / "plots")
        progress.advance("figures")
        write_report(results, folder / "report.html", drawings)
        progress.advance("report")
    print_cells(results.cells)
    click.echo(_summary(outcome, folder), err=True)
    return FAILED if outcome.failed else NOTHING if not outcome.done else 0


def _tell(sweep: Sweep, folder: Path, redo: frozenset[str], executor: Executor) -> int:
    cells, missing = sweep.cells(), remaining(sweep, folder, redo)
    rounds = sweep.timing.rounds if sweep.timing.enabled else 0
    with narrator() as progress, executor, Interrupts(progress.say) as interrupts:
        executor.check(list(dict.fromkeys(cell.device for cell in cells)))
        progress.say("estimating the time from a few cells")
        seconds = forecast(missing, rounds, executor, interrupts)
        if interrupts.requested:
            raise KeyboardInterrupt
    estimate = "" if seconds is None else f"; about {duration(seconds)}"
    click.echo(f"{len(cells)} cells, of which {len(missing)} are missing, in {folder}{estimate}")
    return 0


def _sweep(source: str | None, flags: dict[str, Any]) -> Sweep:
    if source is not None:
        return read_sweep(source).with_overrides(**flags)
    if not (flags["estimators"] and flags["problems"]):
        raise ValueError("name a sweep (`gradmark list sweeps`, or a TOML file), or give both -e and -p")
    return sweep_from_flags(**flags)


def _summary(outcome: Outcome, folder: Path) -> str:
    counts = f"{outcome.done} done, {outcome.skipped} skipped, {outcome.failed} failed"
    work = f"{outcome.computed} computed now" if outcome.computed else "nothing to compute, all were there"
    failed = f"; why: gradmark show {folder} --columns {REASONS}" if outcome.failed else ""
    return f"{outcome.planned} cells: {counts} ({work}); report: {folder / 'report.html'}{failed}"
