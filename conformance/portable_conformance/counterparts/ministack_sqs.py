"""ministack as a judge of SQS: one for each process of the tests, for each moves the clock that leases end by."""

from __future__ import annotations

import os
from pathlib import Path

from portable_conformance.counterparts import ministack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server


def start() -> Server:
    """Return this process's ministack. Raises MissingCounterpart."""
    front = str(Path(__file__).with_name("_ministack_clock.py"))
    return ministack.serve(f"ministack-sqs-{os.getpid()}", ministack.PROGRAM.python(), "-I", front)


def move_clock(server: Server, ahead: float) -> None:
    """Set the server's clock to so many seconds ahead of the machine's."""
    file = Path(server.folder) / "ahead"
    fresh = file.with_suffix(".new")
    fresh.write_text(str(ahead))
    fresh.replace(file)
