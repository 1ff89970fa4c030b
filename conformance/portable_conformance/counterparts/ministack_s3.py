"""ministack as a judge of S3: beside the other one, for it verifies every signature."""

from __future__ import annotations

from portable_conformance.counterparts import ministack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server


def start() -> Server:
    """Return the running ministack. Raises MissingCounterpart."""
    return ministack.start("ministack-s3", "AUTH=true")
