"""The command line: `portable`, or `python -m portable`.

Exit codes: 0 good, 1 the work failed, 2 the call was wrong.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that *arguments*, by default the process's, name; end the process with its exit code."""
    try:
        import click  # noqa: F401  # asked for here, so that its absence has a message that helps
    except ModuleNotFoundError:
        sys.stderr.write("portable: the command line needs click: pip install 'portable-serverless[cli]'\n")
        sys.exit(2)
    from portable.cli.commands import commands

    commands(None if arguments is None else list(arguments), prog_name="portable")
