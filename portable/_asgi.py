"""A mounted ASGI application: a handler that hands it the request and takes down its answer.

Its lifespan is started once on each event loop that serves it, which is one in nearly every process.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from urllib.parse import quote
from weakref import WeakKeyDictionary

from portable import _looping, _reporting
from portable._mounting import application_name, scheme_of, server_of
from portable_contracts.http import Headers, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.http import Request

    Message = dict[str, Any]


class AsgiMount:
    """Answers everything under *path* with *application*."""

    def __init__(self, application: Any, path: str) -> None:
        self._application = application
        self._prefix = path.rstrip("/")
        self._lifespans: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lifespan] = WeakKeyDictionary()
        self.__name__ = application_name(application)

    async def start(self) -> _Lifespan:
        """Start the application on the running loop, unless it was. Raises RuntimeError where it cannot."""
        loop = asyncio.get_running_loop()
        lifespan = self._lifespans.get(loop)
        if lifespan is None:
            lifespan = self._lifespans[loop] = _Lifespan(self._application)
            _looping.on_close(loop, self.stop)
        try:
            await asyncio.shield(lifespan.started)
        except RuntimeError:
            self._lifespans.pop(loop, None)  # The next request tries again.
            raise
        return lifespan

    async def stop(self) -> None:
        """Let the application that was started on the running loop end."""
        lifespan = self._lifespans.pop(asyncio.get_running_loop(), None)
        if lifespan is not None:
            await lifespan.stop()

    async def __call__(self, request: Request) -> Response:
        lifespan = await self.start()
        exchange = _Exchange(request.body)
        try:
            await self._application(self._scope(request, lifespan), exchange.receive, exchange.send)
        except Exception as error:
            if not exchange.complete.is_set():
                raise
            _reporting.failed(request, error)  # As after the error page that a framework sends before it raises.
        return exchange.response(self.__name__)

    def _scope(self, request: Request, lifespan: _Lifespan) -> Message:
        scheme = scheme_of(request)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": scheme,
            "path": request.path,
            "raw_path": quote(request.path, safe="/:@!$&'()*+,;=~").encode(),
            "root_path": self._prefix,
            "query_string": request.query_string.encode(),
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.multi_items()
            ],
            "client": (request.client, 0) if request.client else None,
            "server": server_of(request, scheme),
            "state": dict(lifespan.state),
            "portable.request": request,
        }


class _Exchange:
    """One request's messages, in and out."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._start: Message | None = None
        self._chunks: list[bytes] = []
        self.complete = asyncio.Event()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        # Frameworks listen here for a client that goes away, and would stop an answer that is being made.
        await self.complete.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._chunks.append(bytes(message.get("body", b"")))
            if not message.get("more_body"):
                self.complete.set()

    def response(self, name: str) -> Response:
        if self._start is None or not self.complete.is_set():
            raise RuntimeError(f"the ASGI application {name} returned without a whole answer")
        response = Response(b"".join(self._chunks), self._start["status"])
        response.headers = Headers(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start.get("headers", ())]
        )
        return response


class _Lifespan:
    """The application's start and end on one event loop."""

    def __init__(self, application: Any) -> None:
        loop = asyncio.get_running_loop()
        self.state: Message = {}
        self.started: asyncio.Future[None] = loop.create_future()
        self._stopping = asyncio.Event()
        self._asked = False
        # The context of the first request ends with it; this does not.
        self._task = Context().run(loop.create_task, self._run(application))

    async def stop(self) -> None:
        self._stopping.set()
        await self._task

    async def _run(self, application: Any) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await application(scope, self._receive, self._send)
        except Exception:
            if self.started.done() and not self.started.exception():
                import logging

                logging.getLogger("portable").exception("a mounted application failed as it ended")
        if not self.started.done():
            self.started.set_result(None)  # It has no lifespan, and said so by raising or by returning.

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if self.started.done():
            return
        if message["type"] == "lifespan.startup.complete":
            self.started.set_result(None)
        elif message["type"] == "lifespan.startup.failed":
            self.started.set_exception(
                RuntimeError(f"a mounted application did not start: {message.get('message', '')}")
            )
