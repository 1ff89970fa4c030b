"""`portable run`: the app on this machine."""

from __future__ import annotations

import click


@click.command()
@click.argument("app", metavar="[APP|TARGET]", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; by default 8000, or a free one.")
@click.option("--reload", is_flag=True, help="Start anew when a Python file or portable.toml changes.")
@click.option("--access-log/--no-access-log", "lines", default=True, help="Print a line for each invocation, or none.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    help="How many messages of a queue are handled side by side; by default 1 here, 4 of another target.",
)
@click.pass_context
def run(
    context: click.Context,
    app: str | None,
    host: str,
    port: int | None,
    reload: bool,
    lines: bool,
    concurrency: int | None,
) -> None:
    """Serve the app on this machine: HTTP, queues, schedules, changes and blob events.

    APP is like main:app or main.py; without it, the one in portable.toml, else the one in main.py. A target of
    portable.toml in its place serves the app with that target's resources, and consumes its queues from here; its other
    events stay with the platform.
    """
    from portable_contracts.errors import InvalidArgument

    try:
        from portable.dev import server
    except ModuleNotFoundError as error:
        raise InvalidArgument(f"portable run needs {error.name}: pip install 'portable-serverless[cli]'") from None
    context.exit(server.serve(app, host=host, port=port, reload=reload, lines=lines, concurrency=concurrency))
