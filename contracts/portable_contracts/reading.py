"""Reading a platform's JSON, which nobody promises: each function names the field in its error.

Codecs read through these, so that a broken event is an InvalidArgument that says what is wrong and where, and never a
TypeError from the middle of a codec.
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from sys import version_info

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any


def text(record: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return the text at *name*; *default*, where one is given, for an absent or null one."""
    value = record.get(name)
    if type(value) is str:
        return value
    if value is None and default is not None:
        return default
    raise _wrong(name, value, "text")


def mapping(record: Mapping[str, Any], name: str, optional: bool = False) -> Mapping[str, Any]:
    """Return the map at *name*; an empty one for an absent or null one that is *optional*."""
    value = record.get(name)
    if type(value) is dict:
        return value
    if value is None and optional:
        return {}
    raise _wrong(name, value, "a map")


def sequence(record: Mapping[str, Any], name: str, optional: bool = False) -> Sequence[Any]:
    """Return the list at *name*; an empty one for an absent or null one that is *optional*."""
    value = record.get(name)
    if type(value) is list:
        return value
    if value is None and optional:
        return ()
    raise _wrong(name, value, "a list")


def records(record: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Give the maps in the list at *name*, one after the other."""
    for index, entry in enumerate(sequence(record, name)):
        if type(entry) is not dict:
            raise _wrong(f"{name}[{index}]", entry, "a map")
        yield entry


def whole(record: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return the whole number at *name*, which many platforms send as text."""
    value = record.get(name)
    if value is None and default is not None:
        return default
    try:
        if type(value) is int or type(value) is str:
            return int(value)
        if type(value) is float and value.is_integer():
            return int(value)
    except ValueError:
        pass
    raise _wrong(name, value, "a whole number")


def decoded(record: Mapping[str, Any], name: str, is_base64: bool) -> bytes:
    """Return the bytes of the text at *name*: decoded from base64, or as UTF-8; empty for an absent or null one."""
    value = record.get(name)
    if not value:
        return b""
    if type(value) is not str:
        raise _wrong(name, value, "text")
    try:
        return _from_base64(value) if is_base64 else value.encode()
    except (Error, ValueError) as error:
        raise InvalidArgument(f"{name} cannot be decoded: {error}") from error


def client_address(forwarded: str) -> str | None:
    """Return the address that the platform's front saw: the last one in X-Forwarded-For, without a port, or None."""
    address = forwarded.rpartition(",")[2].strip()
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    return address or None


def moment(record: Mapping[str, Any], name: str) -> datetime:
    """Return the time at *name*, written as in RFC 3339 with any number of decimals; aware, in UTC."""
    return parse_moment(text(record, name), name)


def parse_moment(value: str, name: str) -> datetime:
    """Return the time that *value* writes as RFC 3339 does; aware, in UTC. *name* is for the error."""
    from datetime import datetime, timezone

    try:
        # Before 3.11 `fromisoformat` takes neither Z nor other than 3 or 6 decimals; Azure sends 7.
        clock, zone = value[:-1] if value[-1:] in "Zz" else value, "+00:00" if value[-1:] in "Zz" else ""
        if not zone and clock[-6:-5] in ("+", "-"):
            clock, zone = clock[:-6], clock[-6:]
        seconds, dot, decimals = clock.partition(".")
        parsed = datetime.fromisoformat(f"{seconds}{dot}{decimals[:6].ljust(6, '0') if dot else ''}{zone}")
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(f"{name} is {value[:60]!r}, not a time as in RFC 3339") from error


def epoch(seconds: float, name: str) -> datetime:
    """Return the time that is *seconds* after the epoch; aware, in UTC."""
    from datetime import datetime, timezone

    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidArgument(f"{name} is {seconds}, which is no time") from error


def _from_base64(text: str) -> bytes:
    """Decode *text*; without strict mode what is not base64 is skipped, and plain text becomes other bytes."""
    if version_info >= (3, 11):
        return a2b_base64(text, strict_mode=True)
    end = len(text.rstrip("="))
    pieces = (text[start : min(start + 65_536, end)] for start in range(0, end, 65_536))  # A large one is no copy more.
    if len(text) - end > 2 or any(piece.encode().translate(None, _ALPHABET) for piece in pieces):
        raise Error("Only base64 data is allowed")
    return a2b_base64(text)


_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _wrong(name: str, value: Any, expected: str) -> InvalidArgument:
    found = "missing" if value is None else f"of type {type(value).__name__}"
    return InvalidArgument(f"{name} is {found}; expected {expected}")
