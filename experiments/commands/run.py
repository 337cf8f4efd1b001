"""`gradmark run`: measure a sweep into a store, figures and a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.arguments import REASONS
from experiments.commands.exits import FAILED, NOTHING, WELL
from experiments.commands.options import SEED, components_option, plugin_option
from experiments.terminal.completion import complete_sweep
from experiments.terminal.starting import starting

if TYPE_CHECKING:
    from experiments.engine import Executor, Outcome
    from experiments.store import Run
    from experiments.sweep import Sweep
    from experiments.terminal.progress import Narrator

COMPILE = {"always": True, "auto": "auto", "never": False}
DRAWN_BY = ("gradmark", "matplotlib", "numpy", "pandas", "scipy", "jinja2")
"""The packages that figures and report follow from, beside the results."""
FEW = 8
"""Cells that are shown one by one."""
NEXT = "gradmark rank my_model.py ranks the estimators on a model of yours; gradmark new program my-model begins one."


@click.command("run")
@click.argument("sweep", required=False, shell_complete=complete_sweep)
@components_option("estimator", "An estimator, e.g. pathwise:form=implicit.")
@components_option("problem", "A problem, e.g. gaussian-cosine:dim=4,k=2.")
@click.option("-n", "num_samples", metavar="N,N…", default="", help="Samples per gradient.")
@click.option("--device", default="", metavar="D,D…", help="cpu, cuda or cuda:0.")
@click.option("--dtype", default="", metavar="T,T…", help="float32 or float64.")
@plugin_option
@click.option("--name", help="The folder under results/; default: the sweep's name.")
@click.option("--rtol", type=float, help="Relative half-width of the variance interval to reach.")
@click.option("--max-replicates", type=int, help="Replicates at which a cell stops in any case.")
@click.option("--max-seconds", type=float, help="Seconds after which a cell stops in any case.")
@click.option("--seed", type=SEED, metavar="N", help="Seed of all noise.")
@click.option(
    "--compile",
    type=click.Choice(list(COMPILE)),
    is_flag=False,
    flag_value="always",
    callback=lambda context, option, value: COMPILE.get(value),
    help="Compile the gradients with torch.compile; auto: where a cell takes so many samples that it pays.",
)
@click.option("--jobs", type=int, metavar="N", help="Worker processes; default: none, all in this process.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask cluster, e.g. tcp://10.0.0.1:8786, in place of --jobs.")
@click.option("--timeout", type=float, metavar="S", help="Seconds after which the worker of a cell is stopped.")
@click.option("--retry", type=click.Choice(["failed"]), help="Compute cells again that failed or were stopped.")
@click.option("--fresh", is_flag=True, help="Forget earlier results of the same cells, and measured references.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and compute nothing.")
def command(
    sweep: str | None,
    retry: str | None,
    fresh: bool,
    dry_run: bool,
    jobs: int | None,
    scheduler: str | None,
    timeout: float | None,
    **flags: Any,
) -> int:
    """Measure a SWEEP: a shipped one by name (`gradmark list sweeps`), a TOML file, or -e and -p alone.

    Writes results/NAME/ under the working directory: the store, the figures and a report. Repeated, it computes only
    what is missing.
    """
    with starting():
        from experiments.engine import choose_executor
        from experiments.engine.coordinator import EVERYTHING
        from experiments.measuring.reference_files import forget
        from experiments.store import FAILURES
        from experiments.sweep import cells_of

        asked = _sweep(sweep, flags)
        cells = cells_of(asked)
    if not cells:
        click.echo(f"gradmark: sweep '{asked.name}' has no cells: everything is excluded", err=True)
        return NOTHING
    folder = Path("results") / asked.name
    if fresh and not dry_run:
        forget(frozenset(cell.problem for cell in cells))
    redo = EVERYTHING if fresh else FAILURES if retry else frozenset()
    executor = choose_executor(jobs=jobs, scheduler=scheduler, timeout=timeout, plugins=asked.plugins)
    return (_forecast if dry_run else _run)(asked, folder, redo, executor)


def _run(sweep: "Sweep", folder: Path, redo: frozenset[str], executor: "Executor") -> int:
    """Run, draw, report, summarise. KeyboardInterrupt: the run was interrupted, and what was finished is kept."""
    from experiments.engine import ExecutorLost, run
    from experiments.store import load
    from experiments.terminal.progress import narrator

    with narrator() as progress:
        try:
            outcome = run(sweep, folder, progress, executor=executor, retry=redo)
        except ExecutorLost as lost:
            click.echo(f"gradmark: {lost}", err=True)
            return FAILED
        if outcome.interrupted:
            raise KeyboardInterrupt
        results = load(folder)
        _draw(results, folder, progress)
    click.echo(_summary(outcome, folder), err=True)
    _tell(results, folder)
    return FAILED if outcome.failed else NOTHING if not outcome.done else WELL


def _draw(results: "Run", folder: Path, progress: "Narrator") -> None:
    """Figures and report, unless those that are there are of the same results."""
    from experiments.machine.outputs import Outputs, state_of_the_code

    code = state_of_the_code(("estimators", "experiments"), DRAWN_BY)
    outputs = Outputs.of(folder, folder.resolve().name, results.content, code)
    if outputs.current:
        return
    from experiments.plots import plots_of, save_plots  # matplotlib, which takes a second to import
    from experiments.report import write_report

    progress.start("drawing", 2)
    drawings = plots_of(results)
    files = save_plots(drawings, folder / "plots")
    progress.advance("figures")
    files.append(write_report(results, folder / "report.html", drawings))
    progress.advance("report")
    outputs.note(files)


def _tell(results: "Run", folder: Path) -> None:
    """What was found, and where to go from here."""
    from experiments.commands.summary import print_cells
    from experiments.ranking.digest import digest
    from experiments.terminal.tables import hanging, terminal_width

    if len(results.done) <= FEW:
        print_cells(results.cells)
    width = terminal_width()
    if told := digest(results, width):
        where = f"{folder / 'report.html'}; every cell: gradmark show {folder.name}"
        lines = (hanging(head, text, "    ", width) for head, text in (("Report: ", where), ("Next: ", NEXT)))
        click.echo("\n".join([told, *lines]))


def _forecast(sweep: "Sweep", folder: Path, redo: frozenset[str], executor: "Executor") -> int:
    """Say what would be computed, and how long that takes."""
    from experiments.engine import remaining
    from experiments.engine.executor import Interrupts
    from experiments.engine.forecast import forecast
    from experiments.sweep import cells_of
    from experiments.terminal.numbers import duration
    from experiments.terminal.progress import narrator

    cells, missing = cells_of(sweep), remaining(sweep, folder, redo)
    rounds = sweep.timing.rounds if sweep.timing.enabled else 0
    with narrator() as progress, executor, Interrupts(progress.say) as interrupts:
        executor.check(list(dict.fromkeys(cell.device for cell in cells)))
        progress.say("estimating the time from a few cells")
        seconds = forecast(missing, rounds, executor, interrupts, progress)
        if interrupts.requested:
            raise KeyboardInterrupt
    estimate = "" if seconds is None else f"; about {duration(seconds)}"
    click.echo(f"{len(cells)} cells, of which {len(missing)} are missing, in {folder}{estimate}")
    return WELL


def _sweep(source: str | None, flags: dict[str, Any]) -> "Sweep":
    from experiments.sweep import read_sweep, sweep_from_flags

    if source is not None:
        return read_sweep(source).with_overrides(**flags)
    if not (flags["estimators"] and flags["problems"]):
        raise ValueError("name a sweep (`gradmark list sweeps`, or a TOML file), or give both -e and -p")
    return sweep_from_flags(**flags)


def _summary(outcome: "Outcome", folder: Path) -> str:
    counts = f"{outcome.done} done, {outcome.skipped} skipped, {outcome.failed} failed"
    work = f"{outcome.computed} computed now" if outcome.computed else "nothing to compute, all were there"
    why = f"\nwhy: gradmark show {folder} --columns {REASONS}" if outcome.failed or outcome.skipped else ""
    return f"{outcome.planned} cells: {counts} ({work}){why}"
