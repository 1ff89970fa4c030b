"""Tencent COS, by a server of ours: see `cos_server`."""

from __future__ import annotations

import sys
from http.client import HTTPConnection
from urllib.parse import urlencode

from portable_conformance.counterparts import _servers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server


def start() -> Server:
    """Return the running server. Raises MissingCounterpart."""
    return _servers.serve("cos", lambda ports, _: [sys.executable, "-m", f"{__package__}.cos_server", str(ports[0])])


def steer(server: Server, command: str, **parameters: str) -> str:
    """Have the server do a *command*, and return what it says.

    `clock` puts the clock of an access *key* *ahead* of the machine's by so many seconds; `domain` gives *bucket* one
    of its own, and tells its port; `fill` puts *count* empty objects there; `drop` removes *bucket* with all in it.
    """
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", f"/{command}?{urlencode(parameters)}")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
