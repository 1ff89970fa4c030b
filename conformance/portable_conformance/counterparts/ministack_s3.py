"""ministack as a judge of S3: a server of its own, for it verifies every signature."""

from __future__ import annotations

from pathlib import Path

from portable_conformance.counterparts import ministack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server


def start() -> Server:
    """Return the running ministack. Raises MissingCounterpart."""
    front = str(Path(__file__).with_name("_ministack_front.py"))
    return ministack.serve("ministack-s3", ministack.PROGRAM.python(), "-I", front, AUTH="true")
