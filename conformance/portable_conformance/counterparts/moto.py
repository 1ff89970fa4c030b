"""moto, an emulator of AWS by its server: the second opinion on S3."""

from __future__ import annotations

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import PipProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server

PROGRAM = PipProgram("moto", "5.2.5", ["moto[server]==5.2.5"])


def start() -> Server:
    """Return the running moto. Raises MissingCounterpart."""
    script = PROGRAM.script("moto_server")
    return _servers.serve("moto", lambda ports, folder: [script, "-H", "127.0.0.1", "-p", str(ports[0])])
