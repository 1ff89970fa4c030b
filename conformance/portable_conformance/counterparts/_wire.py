"""A small HTTP/1.1 server under the servers of ours that stand in for services; a thread per connection."""

from __future__ import annotations

import socket
import threading
import time
from email.utils import formatdate
from http import HTTPStatus

from portable_contracts._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from io import BufferedReader

_LONGEST_LINE = 65_536
_TOGETHER = 65_536
"""Bytes of a body that are sent in one call with the headers."""


class WireRequest(Value):
    """A request as it came: the target undecoded, header names in lower case, values as Latin-1 text."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class WireAnswer(Value):
    """An answer. *length* is told where the body is not what it is about: in the answer to a HEAD."""

    status: int = 200
    headers: Iterable[tuple[str, str]] = ()
    body: bytes | Iterable[bytes | memoryview] = b""
    length: int | None = None
    date: float | None = None
    """By the service's clock, where that is another than the machine's."""


class Listener:
    """Answers on *port* of 127.0.0.1, a free one for 0, until it is closed."""

    def __init__(self, port: int, handle: Callable[[WireRequest], WireAnswer | None]) -> None:
        self._handle = handle
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # Closing alone would not wake the thread that accepts.
        except OSError:
            pass
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (request := _read(stream)) is not None:
                    answer = self._handle(request)
                    if answer is None:
                        return
                    _send(connection, request, answer)
        except (OSError, ValueError):  # The client is gone, or speaks no HTTP.
            return


def _read(stream: BufferedReader) -> WireRequest | None:
    """Read the next request; None when the client is gone, be it in the middle of a body."""
    words = stream.readline(_LONGEST_LINE).split()
    if len(words) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(_LONGEST_LINE)) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip(" \t\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        pieces = []
        while size := int(stream.readline(_LONGEST_LINE), 16):
            pieces.append(stream.read(size))
            stream.readline()
        stream.readline()
        body = b"".join(pieces)
    else:
        length = int(headers.get("content-length", "0"))
        body = stream.read(length) if length else b""
        if len(body) != length:
            return None
    path, _, query = words[1].decode("latin-1").partition("?")
    return WireRequest(words[0].decode("latin-1"), path, query, headers, body)


def _send(connection: socket.socket, request: WireRequest, answer: WireAnswer) -> None:
    pieces = [answer.body] if isinstance(answer.body, bytes) else list(answer.body)
    length = sum(map(len, pieces)) if answer.length is None else answer.length
    head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    head += [f"{name}: {value}" for name, value in answer.headers]
    head += [
        f"Date: {_date(int(answer.date or time.time()))}",
        f"Content-Length: {length}",
        "Connection: keep-alive",
        "\r\n",
    ]
    start = "\r\n".join(head).encode("latin-1")
    if request.method == "HEAD":
        pieces = []
    if len(pieces) == 1 and len(pieces[0]) <= _TOGETHER:
        connection.sendall(start + pieces[0])
        return
    connection.sendall(start)
    for piece in pieces:
        connection.sendall(piece)


_dates: dict[int, str] = {}


def _date(second: int) -> str:
    date = _dates.get(second)
    if date is None:
        _dates.clear()
        date = _dates[second] = formatdate(second, usegmt=True)
    return date
