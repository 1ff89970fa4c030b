"""TDMQ for CMQ, by a server of ours: see `cmq_server`."""

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
    return _servers.serve("cmq", lambda ports, _: [sys.executable, "-m", f"{__package__}.cmq_server", str(ports[0])])


def steer(server: Server, command: str, **parameters: str) -> None:
    """Have the server do a *command*.

    `clock` puts the clock of an access *key* *ahead* of the machine's by so many seconds; `create` makes *queue* with
    leases of *lease* seconds, that keeps messages for *keep* seconds, and moves those that were received *most* times
    to the queue *dead*; `drop` removes *queue*.
    """
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", f"/{command}?{urlencode(parameters)}")
        connection.getresponse().read()
    finally:
        connection.close()
