"""Redis's protocol as far as a proxy reads it: where a command ends, and where its answer does (RESP2).

https://redis.io/docs/latest/develop/reference/protocol-spec
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import BufferedReader

HANDSHAKE = frozenset({"AUTH", "CLIENT", "HELLO", "SELECT"})
"""What a client says once on a new connection."""


def read_command(stream: BufferedReader) -> tuple[bytes, Sequence[bytes]]:
    """Return a command as it is on the wire, and its words; nothing where the peer has closed."""
    first = stream.readline()
    if not first:
        return b"", ()
    raw, words = [first], []
    for _ in range(int(first[1:])):
        head = stream.readline()
        body = _exactly(stream, int(head[1:]) + 2)
        raw += (head, body)
        words.append(body[:-2])
    return b"".join(raw), words


def read_answer(stream: BufferedReader) -> bytes:
    """Return an answer as it is on the wire. Raises ConnectionError where the peer closes within it."""
    first = stream.readline()
    if not first:
        raise ConnectionError("the peer closed before its answer")
    if first[:1] == b"$" and first[:2] != b"$-":
        return first + _exactly(stream, int(first[1:]) + 2)
    if first[:1] == b"*":
        return first + b"".join(read_answer(stream) for _ in range(int(first[1:])))
    return first


def error_like(status: int) -> bytes:
    """Return what Redis answers where a service that speaks HTTP answers with *status*."""
    if status in (401, 403):
        return b"-NOPERM this user has no permissions to run the command\r\n"
    if status == 429 or status >= 500:
        return b"-LOADING Redis is loading the dataset in memory\r\n"
    return b"-ERR refused\r\n"


def _exactly(stream: BufferedReader, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise ConnectionError("the peer closed within its words")
    return body
