"""`portable run`: the app on this machine."""

from __future__ import annotations

import click


@click.command()
@click.argument("app", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; by default 8000, or a free one.")
@click.option("--reload", is_flag=True, help="Start anew when a Python file or portable.toml changes.")
@click.option("--access-log/--no-access-log", "lines", default=True, help="Print a line for each invocation, or none.")
@click.pass_context
def run(context: click.Context, app: str | None, host: str, port: int | None, reload: bool, lines: bool) -> None:
    """Serve the app on this machine: HTTP, queues, schedules, changes and blob events.

    APP is like main:app or main.py; without it, the one in portable.toml, else the one in main.py.
    """
    from portable_contracts.errors import InvalidArgument

    try:
        from portable.dev import server
    except ModuleNotFoundError as error:
        raise InvalidArgument(f"portable run needs {error.name}: pip install 'portable-serverless[cli]'") from None
    context.exit(server.serve(app, host=host, port=port, reload=reload, lines=lines))
