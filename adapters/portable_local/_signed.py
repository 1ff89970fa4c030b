"""Signed addresses of a bucket's objects: a small HTTP server on the loopback interface.

It starts at the first address that is signed and lives as long as the process, and so do the addresses: their key is
the process's own. GET (with one range), HEAD for what is signed for GET, and PUT.
"""

from __future__ import annotations

import hmac
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from portable_contracts.blob import WriteOptions
from portable_contracts.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_contracts.blob import BlobDriver, BlobStream

DEFAULT_TYPE = "application/octet-stream"
IDLE_SECONDS = 60
"""How long a connection may say nothing."""
UNREAD_BYTES = 1 << 20
"""How much of a refused body is read, so that its sender hears the answer before the connection ends."""


_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


class SignedServer:
    """Serves the objects of *driver*'s bucket to who has a signed address; *clock* says when one is past."""

    def __init__(self, driver: BlobDriver, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secret = os.urandom(32)
        self.process = os.getpid()
        """The threads of a server do not follow into a fork's child."""

        class Handler(_Handler):
            bucket = driver
            signed = self

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._port = int(self._server.server_address[1])
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="portable signed addresses", daemon=True)
        self._thread.start()

    def address(self, key: str, method: str, seconds: float, content_type: str | None) -> str:
        """Return an address for *method* on *key*, good for *seconds*."""
        claims = {"method": method, "expires": f"{self._clock() + seconds:.3f}"}
        if content_type is not None:
            claims["type"] = content_type
        claims["signature"] = self._signature(key, claims)
        return f"http://127.0.0.1:{self._port}/{quote(key)}?{urlencode(claims)}"

    def refusal(self, key: str, claims: dict[str, str], method: str, content_type: str | None) -> str | None:
        """Say why a request with these *claims* is refused, None where it is allowed."""
        claims = dict(claims)
        signature = claims.pop("signature", "")
        if not hmac.compare_digest(signature.encode(), self._signature(key, claims).encode()):
            return "the signature does not match"
        if claims["method"] != ("GET" if method == "HEAD" else method):
            return f"the address is signed for {claims['method']}"
        if self._clock() >= float(claims["expires"]):
            return "the address has expired"
        if method == "PUT" and "type" in claims and content_type != claims["type"]:
            return f"the address is signed for content of type {claims['type']}"
        return None

    def close(self) -> None:
        """Stop serving."""
        self._closing = True
        if self.process == os.getpid():
            # Wake it. Serving with a timeout would keep an idle process busy, and its end waiting.
            socket.create_connection(("127.0.0.1", self._port), 1).close()
            self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closing:
            self._server.handle_request()

    def _signature(self, key: str, claims: dict[str, str]) -> str:
        text = repr((key, sorted(claims.items())))
        return hmac.new(self._secret, text.encode(), "sha256").hexdigest()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class _Body:
    """A request's body as a Source; a client that stops before its end leaves no object."""

    def __init__(self, handler: _Handler, length: int) -> None:
        self._handler = handler
        self._left = length

    def read(self, size: int, /) -> bytes:
        data = self._handler.rfile.read(min(size, self._left))
        self._left -= len(data)
        if not data and self._left:
            raise ConnectionError("the client went away before the end of its body")
        return data


class _Handler(BaseHTTPRequestHandler):
    bucket: BlobDriver
    signed: SignedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        self._allowed(self._give)

    def do_HEAD(self) -> None:
        self._allowed(self._give)

    def do_PUT(self) -> None:
        self._allowed(self._take)

    # No address is signed for these, so all are refused.
    do_POST = do_PATCH = do_DELETE = do_PUT  # noqa: N815  # the names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the application's log is not ours."""

    def _allowed(self, serve: Callable[[str], None]) -> None:
        # One request a connection: the rest of a body that was refused must not be taken for the next request.
        self.close_connection = True
        parts = urlsplit(self.path)
        key = unquote(parts.path[1:])
        claims = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        refusal = self.signed.refusal(key, claims, self.command, self.headers.get("Content-Type"))
        if refusal is not None:
            return self._refuse(403, refusal)
        try:
            return serve(key)
        except ConnectionError:
            return None
        except Exception as error:
            kind = self.bucket.classify(error)
            if issubclass(kind, NotFound):
                return self._refuse(404, "there is no such object")
            return self._refuse(503 if kind.retryable else 500, self.bucket.explain(error))

    def _give(self, key: str) -> None:
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        stop = int(found[2]) + 1 if found and found[2] else None
        if found and stop is not None and stop <= start:
            found, start, stop = None, 0, None  # A range that is none is to be ignored.
        stream = self.bucket.open(key, start=start, stop=stop, if_version=None)
        try:
            self._send_stream(stream, start, stop, partial=found is not None)
        finally:
            stream.close()

    def _send_stream(self, stream: BlobStream, start: int, stop: int | None, *, partial: bool) -> None:
        info = stream.info
        end = info.size if stop is None else min(stop, info.size)
        if partial and start >= info.size:
            return self._answer(416, {"Content-Range": f"bytes */{info.size}", "Content-Length": "0"})
        headers = {
            "Content-Type": info.content_type,
            "Content-Length": str(end - start),
            "ETag": f'"{info.version}"',
            "Last-Modified": self.date_time_string(int(info.modified.timestamp())),
            "Accept-Ranges": "bytes",
        }
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
        self._answer(206 if partial else 200, headers)
        if self.command == "GET":
            for chunk in stream:
                self.wfile.write(chunk)
        return None

    def _take(self, key: str) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._refuse(411, "send the body with a Content-Length")
        content_type = self.headers.get("Content-Type", DEFAULT_TYPE)
        if not (content_type.isascii() and content_type.isprintable()):
            return self._refuse(400, "the content type is not printable ASCII")
        self.bucket.write(key, _Body(self, int(length)), WriteOptions(content_type))
        return self._answer(200, {"Content-Length": "0"})

    def _refuse(self, status: int, why: str) -> None:
        text = f"{why}\n".encode()
        self._answer(status, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))})
        if self.command != "HEAD":
            self.wfile.write(text)
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():
            self.rfile.read(min(int(length), UNREAD_BYTES))

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
