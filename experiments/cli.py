"""The command line: its group of verbs, which are found in `experiments.commands`, and how an error becomes a line."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import click

import experiments.terminal.completion  # noqa: F401 (tells click how each shell completes)
from experiments import commands
from experiments.commands.exits import FAILED, INTERRUPTED, USAGE, WELL

__all__ = ["cli", "main"]

OPENING = re.compile(r'"""`gradmark (?P<verb>[\w-]+)`: (?P<sentence>.+?)(?:""")?$')
"""The first line of a verb's module."""


def main() -> None:
    """The entry point `gradmark`. An error is one line; --debug shows its traceback.

    The exit codes are those of `experiments.commands.exits`.
    """
    # The products that NumPy makes here are small: threads wait for each other longer than they compute.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    stdout = sys.stdout
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        hint = f"; see '{error.ctx.command_path} --help'" if isinstance(error, click.UsageError) and error.ctx else ""
        code = _fail(error.format_message().rstrip(".") + hint, USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = _fail("interrupted; what was finished is kept, repeat the command to go on", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has seen enough
        code = WELL
        sys.stdout = None
    except SystemExit:
        if sys.stdout is stdout:
            raise
        code = WELL  # click found the pipe closed: it exits with 1, and has wrapped stdout
    except OSError as error:
        _reraise_for_debugging()
        path = f"{error.filename}: " if error.filename else ""
        what = f"{path}{error.strerror or error}{_raised_at(error)}"
        code = _fail(f"{what}; check the path, its permissions and the space left", USAGE)
    except ValueError as error:
        _reraise_for_debugging()
        code = _fail(f"{error}{_raised_at(error)}", USAGE)
    except Exception as error:
        _reraise_for_debugging()
        code = _fail(_unexpected(error), FAILED)
    sys.exit(code or WELL)


def _fail(message: str, code: int) -> int:
    click.echo(f"gradmark: {' '.join(message.split())}", err=True)
    return code


def _raised_at(error: Exception) -> str:
    from estimators.registry import raised_at  # imports torch, which few commands do without

    return raised_at(error)


def _unexpected(error: Exception) -> str:
    from experiments.machine.errors import reason

    if _raised_at(error):
        return f"{reason(error)}; gradmark --debug … shows what led there"
    return f"unexpected {type(error).__name__}: {error} (gradmark --debug … shows where)"


def _reraise_for_debugging() -> None:
    if "--debug" in sys.argv[1:]:
        raise


class Verbs(Mapping[str, click.Command]):
    """The commands by their verbs. A module is imported when its command is asked for; listing the verbs needs none."""

    def __getitem__(self, verb: str) -> click.Command:
        module, _ = self.found()[verb]
        return import_module(f"{commands.__name__}.{module}").command

    def __iter__(self) -> Iterator[str]:
        return iter(self.found())

    def __len__(self) -> int:
        return len(self.found())

    def found(self) -> dict[str, tuple[str, str]]:
        """The verbs in alphabetical order, each with its module and its sentence, from the first lines of the files."""
        verbs = {}
        for file in (file for folder in commands.__path__ for file in Path(folder).glob("*.py")):
            with file.open(encoding="utf-8") as lines:
                if opening := OPENING.match(lines.readline()):
                    verbs[opening["verb"]] = file.stem, opening["sentence"]
        return dict(sorted(verbs.items()))


class Group(click.Group):
    """Lists the verbs without importing them, which click would do."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, f"{said[0].upper()}{said[1:]}") for verb, (_, said) in Verbs().found().items()])


@click.group(cls=Group, commands=Verbs(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradmark", prog_name="gradmark")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure Monte Carlo gradient estimators: how biased, how noisy and how slow each one is."""


if __name__ == "__main__":
    main()
