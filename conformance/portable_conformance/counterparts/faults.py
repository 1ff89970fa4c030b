"""A proxy between a driver and its service that loses connections, answers with refusals, and cuts bodies short.

    with Proxy("127.0.0.1", 4577) as proxy:
        proxy.inject(LOST, when=lambda request: request.method == "PUT")
        ...                                     # through proxy.host and proxy.port
        assert [request.fault for request in proxy.seen] == ["lost", ""]

It speaks HTTP/1.1 and passes on what it is told byte for byte, `Host` included, so that signatures hold. A client that
begins as those of Redis do is understood too: its requests have the command as their method, and a refusal's status
becomes an error that says the like. So is one that begins as those of gRPC do: `_grpc_front`.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from portable_conformance.counterparts import _grpc_front, _resp
from portable_contracts._value import Value
from portable_contracts.provider import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import BufferedReader
    from typing import Self

_PIECE = 1 << 16
_RESET = struct.pack("ii", 1, 0)
"""Do not linger: closing sends RST, as when a server's process is killed."""


class Request(Value):
    """A request that came by."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    size: int
    """Bytes of its body; -1 where it came in chunks."""
    at: float
    """`time.monotonic()` when it had come."""
    fault: str = ""
    """What was done to it."""


class Fault(Value):
    """What is done to a request; made by the names and functions below."""

    name: str
    early: bool = False
    """Once its head is here, without its body."""
    forward: bool = True
    """The service gets the request."""
    answer: bytes | None = None
    """In place of the service's answer; none at all where it is empty, but a reset."""
    head_only: bytes | None = None
    """Likewise for HEAD, whose answers have no body."""
    body_bytes: int | None = None
    """How much of the body of the service's answer comes, before the connection ends."""
    reset: bool = False
    """The connection ends by a reset, not as one that is done."""
    pause: float = 0.0
    """Seconds before each of the pieces in which the body comes."""


RESET = Fault("reset", forward=False, answer=b"")
"""The connection is reset before the service sees the request."""
RESET_EARLY = Fault("reset early", early=True, forward=False, answer=b"")
"""Likewise, while the request's body is still being sent."""
LOST = Fault("lost", answer=b"")
"""The service does what it is asked, and the connection is reset in place of its answer."""


def refusal(status: int, headers: Mapping[str, str] = EMPTY, body: bytes = b"", *, forward: bool = False) -> Fault:
    """Answer with *status* in place of the service, which is not asked; or is, and its answer lost, with *forward*."""
    lines = [f"HTTP/1.1 {status} {status}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()
    return Fault(f"lost, {status}" if forward else str(status), forward=forward, answer=head + body, head_only=head)


def cut(after: int, *, reset: bool = False) -> Fault:
    """End the connection after so many bytes of the answer's body."""
    return Fault("cut", body_bytes=after, reset=reset)


def slow(pause: float) -> Fault:
    """Let the answer's body come in four pieces, each *pause* seconds after the one before."""
    return Fault("slow", pause=pause)


class _Rule:
    def __init__(self, fault: Fault, times: int | None, when: Callable[[Request], bool]) -> None:
        self.fault = fault
        self.times = times
        self.when = when


class Proxy:
    """Listens on a port of its own in front of *host* and *port*; each connection is served by a thread."""

    host = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._connections: set[_Connection] = set()
        self._front: _grpc_front.GrpcFront | None = None
        self.seen: list[Request] = []
        """Every request, in the order in which they came."""
        self._listener = socket.create_server((self.host, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inject(
        self, fault: Fault, *, times: int | None = 1, when: Callable[[Request], bool] = lambda request: True
    ) -> None:
        """Do *fault* to the next *times* requests of which *when* holds, for ever with None.

        The first rule that holds for a request counts.
        """
        with self._lock:
            self._rules.append(_Rule(fault, times, when))

    def clear(self) -> None:
        """Forget all rules, and what was seen."""
        with self._lock:
            self._rules.clear()
            self.seen.clear()

    @property
    def closed(self) -> bool:
        return self._listener.fileno() < 0

    def drop(self) -> None:
        """Close the connections that wait for their next request; those that are busy may end theirs first."""
        limit = time.monotonic() + 1
        while not all(connection.idle for connection in tuple(self._connections)) and time.monotonic() < limit:
            time.sleep(0.001)
        for connection in tuple(self._connections):
            if connection.idle:
                connection.stop()
        if self._front is not None:
            time.sleep(0.1)  # gRPC's clients learn of it on a thread of their own.

    def close(self) -> None:
        """Close the listener and every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in tuple(self._connections):
            connection.stop()
        for connection in tuple(self._connections):
            connection.thread.join(10)
        if self._front is not None:
            self._front.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, client)
            self._connections.add(connection)
            connection.thread.start()

    def fault_for(self, request: Request, early: bool) -> Fault | None:
        """Return what to do to *request*, and take it down unless its body is still to come."""
        with self._lock:
            for rule in self._rules:
                if rule.times != 0 and rule.fault.early == early and rule.when(request):
                    if rule.times is not None:
                        rule.times -= 1
                    self.seen.append(request.replace(fault=rule.fault.name))
                    return rule.fault
            if not early:
                self.seen.append(request)
        return None

    def connect(self) -> socket.socket:
        """Return a new connection to the service."""
        service = socket.create_connection(self._upstream, timeout=60)
        service.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return service

    def ask(self, head: bytes, body: bytes) -> socket.socket:
        """Send a request on; return the connection that its answer comes by."""
        service = self.connect()
        service.sendall(head + body if len(body) < _PIECE else head)
        if len(body) >= _PIECE:
            with suppress(BrokenPipeError, ConnectionResetError):  # It refused early; its answer says why.
                service.sendall(body)
        return service

    def front(self) -> _grpc_front.GrpcFront:
        """Return what serves calls of gRPC, made for the first of them."""
        with self._lock:
            if self._front is None:
                self._front = _grpc_front.GrpcFront(*self._upstream, self._fault_for_call)
            return self._front

    def _fault_for_call(self, method: str, metadata: Mapping[str, str], size: int) -> Fault | None:
        request = Request("POST", method, metadata, size, time.monotonic())
        return self.fault_for(request, early=True) or self.fault_for(request, early=False)

    def ended(self, connection: _Connection) -> None:
        self._connections.discard(connection)


class _Connection:
    """A client's connection: one request after the other, until one side ends it."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._reader = client.makefile("rb")
        self.idle = True
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def stop(self) -> None:
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        try:
            with suppress(OSError, ValueError):  # The client went away, or the proxy is being closed.
                began = self._reader.peek(3)
                if began[:1] == b"*":
                    self._serve_redis()
                elif began[:3] == _grpc_front.PREFACE:
                    self._pass_on()
                else:
                    while self._exchange():
                        self.idle = True
        finally:
            with suppress(OSError):
                self._reader.close()
            self._client.close()
            self._proxy.ended(self)

    def _serve_redis(self) -> None:
        """Serve a client of Redis, whose connection has one behind it; commands that come together are one request."""
        with closing(self._proxy.connect()) as service, service.makefile("rb") as answers:
            while True:
                self.idle = True
                commands = [_resp.read_command(self._reader)]
                self.idle = False
                while commands[-1][0] and self._more_comes():
                    commands.append(_resp.read_command(self._reader))
                if not commands[-1][0]:
                    commands.pop()
                if not commands:
                    return
                words = commands[0][1]
                sent = b"".join(command for command, _ in commands)
                fault = None
                name = words[0].decode(errors="replace").upper()
                if name not in _resp.HANDSHAKE:
                    target = words[1].decode(errors="replace") if len(words) > 1 else ""
                    request = Request(name, target, {}, len(sent), time.monotonic())
                    fault = self._proxy.fault_for(request, early=True) or self._proxy.fault_for(request, early=False)
                answer = b""
                if fault is None or fault.forward:
                    service.sendall(sent)
                    answer = b"".join(_resp.read_answer(answers) for _ in commands)
                if fault is not None and fault.answer is not None:
                    if fault.forward or not fault.answer:  # No server of Redis does what it is asked and denies it.
                        self._reset()
                        return
                    answer = _resp.error_like(int(fault.answer.split(b" ", 2)[1])) * len(commands)
                elif fault is not None and fault.body_bytes is not None:
                    self._client.sendall(answer[: fault.body_bytes])
                    return
                elif fault is not None:
                    time.sleep(fault.pause)
                self._client.sendall(answer)

    def _pass_on(self) -> None:
        """Carry bytes to and from the front that serves calls of gRPC, many at a time on one connection."""
        with closing(socket.create_connection(("127.0.0.1", self._proxy.front().port))) as front:
            back = threading.Thread(target=self._carry_back, args=(front,), daemon=True)
            back.start()
            try:
                while piece := self._reader.read1(_PIECE):
                    front.sendall(piece)
            finally:
                with suppress(OSError):
                    front.shutdown(socket.SHUT_RDWR)
                back.join(10)

    def _carry_back(self, front: socket.socket) -> None:
        with suppress(OSError):
            while piece := front.recv(_PIECE):
                self._client.sendall(piece)
        self.stop()

    def _more_comes(self) -> bool:
        self._client.setblocking(False)
        try:
            return bool(self._reader.peek(1)) or bool(select.select([self._client], (), (), 0.001)[0])
        finally:
            self._client.setblocking(True)

    def _exchange(self) -> bool:
        """Serve one request; say whether another one may follow."""
        head = _read_head(self._reader)
        if not head:
            return False
        self.idle = False
        request_line, headers = _parsed(head)
        method, target, _ = request_line.split(" ", 2)
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        size = -1 if chunked else int(headers.get("content-length") or 0)
        request = Request(method, target, headers, size, time.monotonic())
        fault = self._proxy.fault_for(request, early=True)
        body = b""
        if fault is None:
            if headers.get("expect", "").lower() == "100-continue":
                self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
            body = b"".join(_chunks(self._reader) if chunked else _counted(self._reader, size))
            fault = self._proxy.fault_for(request.replace(at=time.monotonic()), early=False)
        if fault is not None and not fault.forward:
            return self._answer(fault, method)
        with closing(self._proxy.ask(head, body)) as service, service.makefile("rb") as answer:
            return self._relay(answer, fault, method)

    def _answer(self, fault: Fault, method: str) -> bool:
        answer = fault.head_only if method == "HEAD" else fault.answer
        if answer:
            self._client.sendall(answer)
            return True
        self._reset()
        return False

    def _relay(self, answer: BufferedReader, fault: Fault | None, method: str) -> bool:
        while True:
            head = _read_head(answer)
            if not head:
                self._reset()
                return False
            status_line, headers = _parsed(head)
            status = int(status_line.split(" ", 2)[1])
            if status >= 200:
                break
        lasting, pieces = _framed(answer, headers, bodiless=method == "HEAD" or status in (204, 304))
        if fault is not None and fault.answer is not None:
            for _ in pieces:
                pass  # What the service does is done.
            return self._answer(fault, method)
        self._client.sendall(head)
        if fault is not None and fault.pause:
            pieces = _slowly(b"".join(pieces), fault.pause)
        left = None if fault is None else fault.body_bytes
        for piece in pieces:
            if left is not None and left <= len(piece):
                self._client.sendall(piece[:left])
                if fault is not None and fault.reset:
                    time.sleep(0.05)  # A reset throws away what the client has not read yet.
                    self._reset()
                return False
            self._client.sendall(piece)
            left = None if left is None else left - len(piece)
        return lasting and left is None

    def _reset(self) -> None:
        with suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _read_head(stream: BufferedReader) -> bytes:
    """Return a message's first line and headers, with the empty line behind; empty where the peer has closed."""
    lines = []
    while line := stream.readline(_PIECE):
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _framed(stream: BufferedReader, headers: Mapping[str, str], bodiless: bool) -> tuple[bool, Iterator[bytes]]:
    """Return whether the connection lasts beyond the answer, and the answer's body as it is on the wire."""
    lasting = headers.get("connection", "").lower() != "close"
    if bodiless:
        return lasting, iter(())
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return lasting, _chunks(stream)
    if "content-length" in headers:
        return lasting, _counted(stream, int(headers["content-length"]))
    return False, iter(lambda: stream.read1(_PIECE), b"")


def _counted(stream: BufferedReader, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise ConnectionError("the peer closed within a body")
        size -= len(piece)
        yield piece


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    """Yield a chunked body, its sizes and trailers with it."""
    while line := stream.readline(_PIECE):
        size = int(line.partition(b";")[0], 16)
        yield line
        if size == 0:
            while (trailer := stream.readline(_PIECE)) not in (b"\r\n", b""):
                yield trailer
            yield b"\r\n"
            return
        yield from _counted(stream, size + 2)
    raise ConnectionError("the peer closed within a body")


def _slowly(body: bytes, pause: float) -> Iterator[bytes]:
    step = max(1, -(-len(body) // 4))
    for start in range(0, len(body), step):
        time.sleep(pause)
        yield body[start : start + step]
