"""SCF in front of a web function: a server of ASGI, and the proxy that sends each request on to it. A wire fake.

https://cloud.tencent.com/document/product/583/56124
"""

from __future__ import annotations

import threading
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING

from portable_contracts.harness import MissingCounterpart
from portable_contracts.http import Headers, Response

if TYPE_CHECKING:
    from portable_contracts.asgi import Application, Receive, Scope, Send
    from portable_contracts.harness import HttpCall


def pass_on(call: HttpCall, port: int) -> Response:
    """Send *call* to the web function at *port*, as it is; return what the client is sent."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(call.method, call.target, skip_host=True, skip_accept_encoding=True)
        for name, value in call.headers:
            connection.putheader(name, value)
        connection.endheaders(call.body)
        answer = connection.getresponse()
        return Response(answer.read(), answer.status, Headers.received(answer.getheaders()))
    finally:
        connection.close()


class Embedded:
    """uvicorn on a thread of this process, in front of the application that a call is for."""

    def __init__(self) -> None:
        """Start it. Raises MissingCounterpart."""
        try:
            import uvicorn
        except ImportError as error:
            raise MissingCounterpart("uvicorn is not installed: pip install uvicorn") from error
        self._application: Application | None = None
        self._one_at_a_time = threading.Lock()
        config = uvicorn.Config(
            self._dispatch,
            "127.0.0.1",
            0,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self._port: int = self._server.servers[0].sockets[0].getsockname()[1]

    def send(self, application: Application, call: HttpCall) -> Response:
        """Return what the client of *call* is sent."""
        with self._one_at_a_time:
            self._application = application
            return pass_on(call, self._port)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._application is not None
        await self._application(scope, receive, send)
