"""Completion of specs, whose colons, equals signs and commas click's own scripts do not expect."""

import glob
import os
import shlex
from pathlib import Path

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

__all__ = ["SHELLS"]

BREAKS = " \t\n\"'><=;|&(:"
"""Characters at which bash breaks words by default: a script between it and gradmark does not pass its setting on."""


@add_completion_class
class Bash(BashComplete):
    """Bash also breaks words at : and =. They are read off the line; what is offered starts after the last break."""

    source_template = BashComplete.source_template.replace(
        "env COMP_WORDS", 'env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" COMP_WORDS'
    )
    breaks: int = 0

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        value = incomplete.partition("=")[2] if incomplete.startswith("-") else incomplete
        if not _in_quotes(line):
            breaks = os.environ.get("COMP_WORDBREAKS", BREAKS)
            self.breaks = max((value.rfind(sign) + 1 for sign in ":=" if sign in breaks), default=0)
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{item.value[self.breaks :]}"


class WholeWords(ShellComplete):
    """zsh and fish replace the whole word, of which click hands back what follows `--option=`."""

    option: str = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        if incomplete.startswith("--") and "=" in incomplete:
            self.option = incomplete.partition("=")[0] + "="
        return args, incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """The completions, with files: the shells would look for files named like the whole word, option included."""
        found = super().get_completions(args, incomplete)
        return [one for item in found for one in (_files(item) if self.option and item.type == "file" else [item])]

    def format_completion(self, item: CompletionItem) -> str:
        return super().format_completion(CompletionItem(self.option + item.value, item.type, item.help))


@add_completion_class
class Zsh(WholeWords, ZshComplete):
    pass


@add_completion_class
class Fish(WholeWords, FishComplete):
    """Specs have commas, at which click's script would cut them."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


def _files(item: CompletionItem) -> list[CompletionItem]:
    paths = sorted(glob.glob(glob.escape(item.value) + "*"))
    return [CompletionItem(path + "/" * Path(path).is_dir()) for path in paths]


def _in_quotes(line: str) -> bool:
    try:
        shlex.split(line)
    except ValueError:
        return True
    return False


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
