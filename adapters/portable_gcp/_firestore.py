"""Firestore's documents in events: as protobuf, which is what arrives, and as JSON, which is what samples show.

https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto has the
message DocumentEventData; https://protobuf.dev/programming-guides/encoding/ the wire format. Reading the ten fields
here costs a cold start less than a protobuf runtime does.
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from struct import error as struct_error
from struct import unpack

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_64_BITS = (1 << 64) - 1
DEPTH = 40
"""How deep a document is read; Firestore nests 20 levels: https://firebase.google.com/docs/firestore/quotas"""


def documents(data: Any) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the document's fields after and before the change, each None where there was no document.

    *data* is the event's data: bytes (protobuf) or a map (JSON). Raises InvalidArgument for broken ones.
    """
    if isinstance(data, (bytes, bytearray)):
        try:
            parts = {number: content for number, content in _fields(bytes(data)) if number in (1, 2)}
            return _document(parts.get(1)), _document(parts.get(2))
        except (IndexError, UnicodeDecodeError, struct_error, TypeError, AttributeError) as error:
            raise InvalidArgument(f"the Firestore event's data is no DocumentEventData: {error}") from error
    if type(data) is dict:
        return _json_document(data.get("value"), "value"), _json_document(data.get("oldValue"), "oldValue")
    raise InvalidArgument(f"the Firestore event's data is of type {type(data).__name__}; expected protobuf bytes")


def value_of(message: bytes) -> Any:
    """Return the plain value of a google.firestore.v1.Value. Raises InvalidArgument for broken bytes."""
    try:
        return _value(message, DEPTH)
    except (IndexError, UnicodeDecodeError, struct_error, TypeError, AttributeError) as error:
        raise InvalidArgument(f"no Firestore value: {error}") from error


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Give the fields of a message: number and content, which is an int for varints and bytes for all else."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            content: Any
            content, place = _varint(message, place)
        elif wire in (1, 2, 5):
            length, place = _varint(message, place) if wire == 2 else (8 if wire == 1 else 4, place)
            if place + length > len(message):
                raise IndexError("a field is cut off")
            content, place = message[place : place + length], place + length
        else:
            raise IndexError(f"wire type {wire} is unknown")
        yield number, content


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _64_BITS, place
        shift += 7
        if shift > 63:
            raise IndexError("a number is longer than 64 bits")


def _document(message: bytes | None) -> dict[str, Any] | None:
    # An empty Document stands for none: the emulator and JSON samples send one.
    if not message:
        return None
    return dict(_entry(content, DEPTH) for number, content in _fields(message) if number == 2)


def _entry(message: bytes, depth: int) -> tuple[str, Any]:
    name, value = "", None
    for number, content in _fields(message):
        if number == 1:
            name = content.decode()
        elif number == 2:
            value = _value(content, depth)
    return name, value


def _value(message: bytes, depth: int) -> Any:
    if depth <= 0:
        raise IndexError("a value is nested too deeply")
    value: Any = None
    for number, content in _fields(message):
        if number == 1:
            value = bool(content)
        elif number == 2:
            value = content - (1 << 64) if content >> 63 else content
        elif number == 3:
            value = unpack("<d", content)[0]
        elif number in (5, 17):
            value = content.decode()
        elif number == 18:
            value = content if type(content) is bytes else None
        elif number == 9:
            value = [_value(entry, depth - 1) for inner, entry in _fields(content) if inner == 1]
        elif number == 6:
            value = dict(_entry(entry, depth - 1) for inner, entry in _fields(content) if inner == 1)
        elif number == 10:
            value = _timestamp(content)
        elif number == 8:
            value = _point(content)
        elif number == 11:
            value = None
    return value


def _timestamp(message: bytes) -> str:
    """Return a timestamp as RFC 3339 text: portable values have no times."""
    from datetime import datetime, timedelta, timezone

    parts = dict(_fields(message))
    seconds = parts.get(1, 0)
    seconds = seconds - (1 << 64) if seconds >> 63 else seconds
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(
            seconds=seconds, microseconds=parts.get(2, 0) // 1000
        )
    except OverflowError as error:
        raise IndexError("a timestamp is beyond the year 9999") from error
    return moment.isoformat().replace("+00:00", "Z")


def _point(message: bytes) -> dict[str, float]:
    parts = dict(_fields(message))
    return {name: unpack("<d", parts.get(number, b"\0" * 8))[0] for number, name in ((1, "latitude"), (2, "longitude"))}


def _json_document(document: Any, where: str) -> dict[str, Any] | None:
    if not document:
        return None
    if type(document) is not dict:
        raise InvalidArgument(f"{where} of the Firestore event is of type {type(document).__name__}; expected a map")
    fields = document.get("fields") or {}
    if type(fields) is not dict:
        raise InvalidArgument(f"{where}.fields of the Firestore event is no map")
    return {name: _json_value(value, f"{where}.fields.{name}", DEPTH) for name, value in fields.items()}


def _json_value(value: Any, where: str, depth: int) -> Any:
    if type(value) is not dict or len(value) != 1 or depth <= 0:
        raise InvalidArgument(f"{where} is no Firestore value such as {{'stringValue': 'text'}}")
    ((kind, content),) = value.items()
    try:
        if kind == "integerValue":
            return int(content)
        if kind == "doubleValue":
            return float(content)
        if kind == "bytesValue":
            return a2b_base64(content)
        if kind == "arrayValue":
            entries = (content or {}).get("values") or []
            return [_json_value(entry, f"{where}[{index}]", depth - 1) for index, entry in enumerate(entries)]
        if kind == "mapValue":
            entries = (content or {}).get("fields") or {}
            return {name: _json_value(entry, f"{where}.{name}", depth - 1) for name, entry in entries.items()}
    except (Error, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"{where} is no {kind}: {error}") from error
    if kind in ("stringValue", "booleanValue", "timestampValue", "referenceValue", "geoPointValue", "nullValue"):
        return None if kind == "nullValue" else content
    raise InvalidArgument(f"{where} has the unknown kind {kind[:40]!r}")
