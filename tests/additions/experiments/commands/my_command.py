"""`gradmark my-command`: say hello to NAME."""

import click


@click.command("my-command")
@click.argument("name")
def command(name: str) -> None:
    """Say hello to NAME."""
    click.echo(f"hello {name}")
