"""The commands by name, and how an error of ours becomes a message and an exit code."""

from __future__ import annotations

import os

import click

from portable.cli.check import check
from portable.cli.conformance import conformance
from portable.cli.copy import copy
from portable.cli.decode import decode
from portable.cli.invoke import invoke
from portable.cli.new import new
from portable.cli.run import run
from portable_contracts.errors import InvalidArgument, PortableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Commands(click.Group):
    """Ends a command that an error of ours ends with its message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PortableError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2 if isinstance(error, InvalidArgument) else 1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portable-serverless", message="portable %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Write a serverless handler once; run it on any provider."""
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (new, run, check, decode, invoke, copy, conformance):
    commands.add_command(command)
