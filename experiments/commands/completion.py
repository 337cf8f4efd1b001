"""`gradmark completion`: what makes a shell complete specs, sweeps and runs."""

import click

from experiments.terminal.completion import SHELLS, script


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """What makes a SHELL complete gradmark's arguments: specs, sweeps, runs.

    For bash, put `eval "$(gradmark completion bash)"` into ~/.bashrc; zsh likewise into ~/.zshrc; for fish,
    `gradmark completion fish > ~/.config/fish/completions/gradmark.fish`.
    """
    click.echo(script(shell, context.find_root().command))
