"""The command line. What a verb needs is imported inside it, so that `gradmark --help` starts without torch."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import click

from experiments.commands.exits import FAILED, INTERRUPTED, USAGE
from experiments.terminal.completion import (
    SHELLS,
    complete_component,
    complete_file,
    complete_run,
    complete_sweep,
    script,
)

__all__ = ["cli", "main"]

LISTED = ("estimators", "problems", "control-variates", "schemes", "sweeps")
COMPILE = {"always": True, "auto": "auto", "never": False}
CREATED = ("estimator", "problem", "control-variate")
FIGURES = [file.name.replace("_", "-") for file in iter_modules([str(Path(__file__).parent / "plots" / "kinds")])]


def main() -> None:
    """The entry point `gradmark`. An error is one line; --debug shows its traceback.

    Exit codes: 0 well, 1 cells failed, 2 bad usage, 3 a gate failed, 4 nothing to do, 130 interrupted.
    """
    stdout = sys.stdout
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        hint = f"; see '{error.ctx.command_path} --help'" if isinstance(error, click.UsageError) and error.ctx else ""
        code = _fail(error.format_message().rstrip(".") + hint, USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = _fail("interrupted; what was finished is kept, repeat the command to go on", INTERRUPTED)
    except BrokenPipeError:  # who reads has seen enough
        code = 0
        sys.stdout = None
    except SystemExit:
        if sys.stdout is stdout:
            raise
        code = 0  # click found the pipe closed: it exits with 1, and has wrapped stdout
    except OSError as error:
        _reraise_for_debugging()
        path = f"{error.filename}: " if error.filename else ""
        code = _fail(f"{path}{error.strerror or error}; check the path, its permissions and the space left", USAGE)
    except ValueError as error:
        _reraise_for_debugging()
        code = _fail(str(error), USAGE)
    except Exception as error:
        _reraise_for_debugging()
        code = _fail(f"unexpected {type(error).__name__}: {error} (gradmark --debug … shows where)", FAILED)
    sys.exit(code or 0)


def _fail(message: str, code: int) -> int:
    click.echo(f"gradmark: {' '.join(message.split())}", err=True)
    return code


def _reraise_for_debugging() -> None:
    if "--debug" in sys.argv[1:]:
        raise


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradmark", prog_name="gradmark")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure Monte Carlo gradient estimators: how biased, how noisy and how slow each one is."""


class Seconds(click.FloatRange):
    """A budget: a number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = super().convert(value, param, ctx)
        return self.fail(f"{value} is no number", param, ctx) if math.isnan(found) else found


def _many(*names: str, **settings: Any) -> Callable:
    return click.option(*names, multiple=True, **settings)


def estimators_option(text: str) -> Callable:
    complete = complete_component("estimator")
    return _many("-e", "--estimator", "estimators", metavar="SPEC", shell_complete=complete, help=text)


def problems_option(text: str) -> Callable:
    complete = complete_component("problem")
    return _many("-p", "--problem", "problems", metavar="SPEC", shell_complete=complete, help=text)


plugin_option = _many(
    "--plugin", "plugins", metavar="FILE", shell_complete=complete_file, help="A Python file that registers components."
)
samples_option = click.option("-n", "num_samples", metavar="N,N…", default="", help="Samples per gradient.")
device_option = click.option("--device", default="", metavar="D,D…", help="cpu, cuda or cuda:0.")
SEED = click.IntRange(0, 2**63 - 1)
seed_option = click.option("--seed", type=SEED, metavar="N", help="Seed of all noise.")
fixed_seed_option = click.option("--seed", type=SEED, metavar="N", default=0, show_default=True)


@cli.command("list")
@click.argument("what", required=False, type=click.Choice(LISTED))
@click.option("--json", "as_json", is_flag=True, help="Everything, options and papers included, as JSON.")
@plugin_option
def list_(what: str | None, as_json: bool, plugins: tuple[str, ...]) -> None:
    """What there is, with options and their defaults."""
    from experiments.commands.list import list_components

    list_components((what,) if what else LISTED, as_json, plugins)


@cli.command()
@click.argument("sweep", required=False, shell_complete=complete_sweep)
@estimators_option("An estimator, e.g. pathwise:form=implicit.")
@problems_option("A problem, e.g. gaussian-cosine:dim=4,k=2.")
@samples_option
@device_option
@click.option("--dtype", default="", metavar="T,T…", help="float32 or float64.")
@plugin_option
@click.option("--name", help="The folder under results/; default: the sweep's name.")
@click.option("--rtol", type=float, help="Relative half-width of the variance interval to reach.")
@click.option("--max-replicates", type=int, help="Replicates at which a cell stops in any case.")
@click.option("--max-seconds", type=float, help="Seconds after which a cell stops in any case.")
@seed_option
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
@click.option("--fresh", is_flag=True, help="Forget earlier results of the same cells.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and compute nothing.")
def run(sweep: str | None, **options: Any) -> int:
    """Measure a SWEEP: a shipped one by name (`gradmark list sweeps`), a TOML file, or -e and -p alone.

    Writes results/NAME/ under the working directory: the store, the figures and a report. Repeated, it computes only
    what is missing.
    """
    from experiments.commands.run import run_sweep

    return run_sweep(sweep, **options)


@cli.command()
@click.argument("run_", metavar="RUN", shell_complete=complete_run)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "markdown", "parquet"]), default="table")
@click.option("--columns", default="", metavar="C,C…", help="Columns of the cells; default: the main ones, or all.")
@click.option("--sort", default="", metavar="C", help="The column to sort by; -C sorts downwards.")
@click.option(
    "--rates", "fit", flag_value="rates", help="Instead of the cells, how fast variances fall with S, by a fit."
)
@click.option(
    "--costs",
    "fit",
    flag_value="costs",
    help="… how times grow with S, and with an option of the problems.",
)
@click.option(
    "--signals", "fit", flag_value="signals", help="… how the signal-to-noise ratio of each parameter changes."
)
@click.option(
    "--milestones", "fit", flag_value="milestones", help="… of training: the steps and seconds to a level (--target)."
)
@click.option("--quantity", default="objective", metavar="Q", help="Of milestones: what was recorded beside steps.")
@click.option("--target", type=float, help="Of milestones: the level; default: one that all cells of a problem reach.")
@click.option("--least", type=click.IntRange(min=1), default=1, metavar="S", help="Fit from this number of samples on.")
def show(run_: str, form: str, columns: str, sort: str, fit: str | None, **options: Any) -> int:
    """The cells of a RUN: a name under results/, a folder, or a store file."""
    from experiments.commands.show import show_cells

    return show_cells(run_, form, columns, sort, fit or "", **options)


@cli.command()
@click.argument("run_", metavar="RUN", shell_complete=complete_run)
@_many(
    "--kind",
    "kinds",
    type=click.Choice(FIGURES),
    metavar="KIND",
    help=f"Which figure: {', '.join(FIGURES)}; default: all that suit the run.",
)
@click.option("--x", metavar="X", help="The variance against num_samples, evaluations, seconds or a problem's option.")
@click.option(
    "--facet", default="problem", show_default=True, help="What makes the panels: estimator, device, dtype, …"
)
@click.option("--format", "form", type=click.Choice(["png", "svg", "pdf"]), default="png")
def plot(run_: str, kinds: tuple[str, ...], x: str | None, facet: str, form: str) -> None:
    """Draw the figures of a RUN into its folder."""
    from experiments.commands.arguments import open_run
    from experiments.plots import plots_of, save_plots

    folder, loaded = open_run(run_)
    asked = (f"-against-{x}" if x else "") + (f"-by-{facet}" if facet != "problem" else "")
    drawings = {f"{kind}{asked}": figure for kind, figure in plots_of(loaded, kinds, x, facet).items()}
    for file in save_plots(drawings, folder / "plots", form):
        click.echo(file)


@cli.command()
@click.argument("run_", metavar="RUN", shell_complete=complete_run)
def report(run_: str) -> None:
    """Write the report of a RUN: one HTML file that needs nothing else."""
    from experiments.commands.arguments import open_run
    from experiments.report import write_report

    folder, loaded = open_run(run_)
    click.echo(write_report(loaded, folder / "report.html"))


@cli.command()
@click.argument("before", metavar="RUN", shell_complete=complete_run)
@click.argument("after", metavar="RUN", shell_complete=complete_run)
@click.option("--fail-on", type=click.Choice(["regression"]), help="Exit with 3 where a cell of the second got worse.")
@click.option("--threshold", type=float, default=1.5, show_default=True, help="The ratio from which it is worse.")
@click.option(
    "--significance", type=float, default=1e-3, show_default=True, help="… if chance is less likely than this."
)
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True)
def compare(before: str, after: str, fail_on: str | None, threshold: float, significance: float, form: str) -> int:
    """Compare the cells of two RUNs: ratios of variance, bias and time with intervals."""
    from experiments.analysis.comparison import Gate
    from experiments.commands.compare import compare_runs

    return compare_runs(before, after, form, Gate(threshold, significance), fail_on is not None)


@cli.command()
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True, shell_complete=complete_run)
@click.option("-o", "--output", metavar="NAME", required=True, help="The folder under results/ to write.")
def merge(runs: tuple[str, ...], output: str) -> None:
    """Put the cells of several RUNs, as of several machines, into one."""
    from experiments.commands.merge import merge_runs

    merge_runs(runs, output)


@cli.command()
@click.argument("estimator", metavar="ESTIMATOR|FILE.py", shell_complete=complete_component("estimator", files=True))
@problems_option("A problem to check on; default: all that are shipped.")
@click.option("-n", "num_samples", type=click.IntRange(min=1), default=16, show_default=True, metavar="N")
@click.option("--device", default="cpu", show_default=True)
@fixed_seed_option
@click.option("--seconds", type=Seconds(), default=20.0, show_default=True, help="Budget of an estimator on a problem.")
@click.option("--strict", is_flag=True, help="Fail where an unbiased claim stays undetermined, too.")
@plugin_option
def check(estimator: str, **options: Any) -> int:
    """Claim against evidence: is the ESTIMATOR, or are those that FILE.py registers, as unbiased as they say?

    Exit code 3 where a claim is refuted.
    """
    from experiments.commands.check import check_claims

    return check_claims(estimator, **options)


@cli.command()
@click.argument("problem", metavar="MODEL.py|PROBLEM", shell_complete=complete_component("problem", files=True))
@click.option("-n", "num_samples", type=click.IntRange(min=1), default=10, show_default=True, metavar="N")
@click.option("--seconds", type=Seconds(), default=60.0, show_default=True, help="Budget of all estimators together.")
@click.option("--device", default="cpu", show_default=True)
@fixed_seed_option
@click.option("--json", "as_json", is_flag=True, help="The table and the advice as JSON.")
@click.option("--reasons", is_flag=True, help="Also why the other estimators do not support the problem.")
@plugin_option
def rank(problem: str, **options: Any) -> int:
    """Every estimator that supports a problem, best first by MSE times seconds, and which one to use.

    Half of the budget is for a first look at all, the rest for those that may still be the best, until they are told
    apart. Whatever the budget, each may finish learning, and has one block of replicates and a few gradients timed.
    Where the problem does not know its gradient, that is measured first, once, beside the budget.
    """
    from experiments.commands.rank import rank_estimators

    return rank_estimators(problem, **options)


@cli.command()
@click.argument("kind", type=click.Choice(CREATED))
@click.argument("name")
def new(kind: str, name: str) -> None:
    """Write a file to fill in, and its test, for a KIND of component called NAME, e.g. my-idea: my_idea.py.

    It works as it is; nothing that exists is overwritten.
    """
    from experiments.commands.new import write_skeleton

    write_skeleton(kind, name)


@cli.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """What makes a SHELL complete gradmark's arguments: specs, sweeps, runs.

    For bash, put `eval "$(gradmark completion bash)"` into ~/.bashrc; zsh likewise into ~/.zshrc; for fish,
    `gradmark completion fish > ~/.config/fish/completions/gradmark.fish`.
    """
    click.echo(script(shell, cli))


@cli.command()
def doctor() -> int:
    """Versions, devices and threads; whether everything works here, and what to fix."""
    from experiments.commands.doctor import examine

    return examine()


if __name__ == "__main__":
    main()
