"""Cursors: where a listing goes on, as URL-safe text that another process can use, bound to the query it came from."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64, crc32

from portable_contracts.errors import InvalidArgument


def seal(position: str, query: tuple[object, ...]) -> str:
    """Return the cursor for *position*, a driver's own, in the listing that *query* describes."""
    body = position.encode()
    payload = _sum(repr(query).encode()) + _sum(body) + body
    return b2a_base64(payload, newline=False).translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"=").decode()


def unseal(cursor: str, query: tuple[object, ...]) -> str:
    """Return the position in *cursor*. Raises InvalidArgument for one that is broken or came from another query."""
    try:
        padded = cursor.encode("ascii").translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(cursor) % 4)
        payload = a2b_base64(padded, strict_mode=True) if _STRICT else a2b_base64(padded)
        position = payload[8:].decode()
    except (Error, ValueError, AttributeError) as error:
        raise _broken(cursor) from error
    if payload[4:8] != _sum(payload[8:]):
        raise _broken(cursor)
    if payload[:4] != _sum(repr(query).encode()):
        raise InvalidArgument(f"cursor {cursor!r} belongs to another query: pass the same arguments as for its page")
    return position


def _sum(data: bytes) -> bytes:
    return crc32(data).to_bytes(4, "big")


def _broken(cursor: object) -> InvalidArgument:
    return InvalidArgument(f"cursor {cursor!r} is not one that a page gave: pass page.cursor unchanged")


try:
    _STRICT = bool(a2b_base64(b"AAAA", strict_mode=True))
except TypeError:  # Python 3.10
    _STRICT = False
