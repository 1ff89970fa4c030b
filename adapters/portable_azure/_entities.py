"""Values as properties of an entity, and back.

    value       text, a number, bytes or a truth value that the service keeps as it is
    json        anything else, as JSON: None, lists, maps, text that is not printable, -0.0
    packed0...  what is too long for one property: bytes of a form of ours, 64 KiB each
    expires     when the item expires, in seconds since the epoch

In the JSON, bytes are `{"$bytes": "<base64>"}`, and a name that begins with `$` gets one more. An entity that has none
of these, somebody else's, is a map of its properties.
"""

from __future__ import annotations

import json
import math
from binascii import a2b_base64, b2a_base64
from struct import Struct
from typing import TYPE_CHECKING, Any

from azure.data.tables import EdmType, EntityProperty

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_TEXT = 16_000
"""Characters: a property holds 64 KiB of UTF-16, 32,768 units."""
LONGEST_BYTES = 1 << 16
KEYS = frozenset({"PartitionKey", "RowKey", "Timestamp"})

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def properties(value: Any) -> dict[str, Any]:
    """Return the properties, as the SDK takes them, that hold *value*."""
    kind = type(value)
    if kind is str:
        if len(value) <= LONGEST_TEXT and value.isprintable():
            return {"value": value}
    elif kind is bool:
        return {"value": value}
    elif kind is int:
        return {"value": EntityProperty(value, EdmType.INT64)}
    elif kind is float:
        if value or math.copysign(1.0, value) > 0:
            return {"value": value}
    elif kind is bytes and len(value) <= LONGEST_BYTES:
        return {"value": value}
    if kind is not bytes and not (kind is str and len(value) > LONGEST_TEXT):
        text = _dumped(value)
        if len(text) <= LONGEST_TEXT:
            return {"json": text}
    packed = b"".join(_packed(value))
    places = range(0, len(packed), LONGEST_BYTES)
    return {f"packed{number}": packed[place : place + LONGEST_BYTES] for number, place in enumerate(places)}


def value_of(entity: Mapping[str, Any]) -> Any:
    """Return the value that *entity*, as the SDK gives it, holds."""
    if "value" in entity:
        return _plain(entity["value"])
    if "json" in entity:
        text = entity["json"]
        return json.loads(text, object_hook=_unmarked) if '"$' in text else _decode(text)[0]
    if "packed0" in entity:
        parts: list[bytes] = []
        while (part := entity.get(f"packed{len(parts)}")) is not None:
            parts.append(part)
        return _unpacked(memoryview(b"".join(parts)), 0)[0]
    return {name: _plain(value) for name, value in entity.items() if name not in KEYS and name != "expires"}


def _plain(value: Any) -> Any:
    """Return a property of the SDK's as a portable value: times and GUIDs, which others may have stored, as text."""
    if isinstance(value, EntityProperty):
        value = value.value
    if value is None or isinstance(value, (str, bool, int, float, bytes)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _dumped(value: Any) -> str:
    try:
        text = _encode(value)
    except TypeError:  # There are bytes in it, which JSON does not know.
        return _encode(_marked(value))
    return _encode(_marked(value)) if '"$' in text else text


def _marked(value: Any) -> Any:
    kind = type(value)
    if kind is bytes:
        return {"$bytes": b2a_base64(value, newline=False).decode()}
    if kind is list:
        return [_marked(entry) for entry in value]
    if kind is dict:
        return {f"${name}" if name[:1] == "$" else name: _marked(entry) for name, entry in value.items()}
    return value


def _unmarked(found: dict[str, Any]) -> Any:
    if "$bytes" in found:
        return a2b_base64(found["$bytes"])
    return {name[1:] if name[:1] == "$" else name: entry for name, entry in found.items()}


# The packed form: a byte that says what comes, short text and bytes with their length in it. It takes at most a quarter
# more than `measure` counts, where JSON, for numbers and control characters, may take several times as much.

_NONE, _TRUE, _FALSE, _INT, _FLOAT, _TEXT, _BYTES, _LIST, _MAP = range(9)
_SHORT = 64
_SHORT_TEXT, _SHORT_BYTES = 0x40, 0x80
_int, _float, _length = Struct(">Bq"), Struct(">Bd"), Struct(">BI")


def _packed(value: Any) -> Iterator[bytes]:
    kind = type(value)
    if kind is str:
        encoded = value.encode()
        yield bytes([_SHORT_TEXT + len(encoded)]) if len(encoded) < _SHORT else _length.pack(_TEXT, len(encoded))
        yield encoded
    elif kind is dict:
        yield _length.pack(_MAP, len(value))
        for name, entry in value.items():
            yield from _packed(name)
            yield from _packed(entry)
    elif kind is list:
        yield _length.pack(_LIST, len(value))
        for entry in value:
            yield from _packed(entry)
    elif kind is int:
        yield _int.pack(_INT, value)
    elif kind is float:
        yield _float.pack(_FLOAT, value)
    elif kind is bytes:
        yield bytes([_SHORT_BYTES + len(value)]) if len(value) < _SHORT else _length.pack(_BYTES, len(value))
        yield value
    else:
        yield bytes([_NONE if value is None else _TRUE if value else _FALSE])


def _unpacked(data: memoryview, place: int) -> tuple[Any, int]:
    """Return the value at *place*, and the place behind it."""
    kind = data[place]
    if kind >= _SHORT_TEXT:
        begin = place + 1
        end = begin + kind % _SHORT
        content = bytes(data[begin:end])
        return (content.decode() if kind < _SHORT_BYTES else content), end
    if kind == _INT:
        return _int.unpack_from(data, place)[1], place + _int.size
    if kind == _FLOAT:
        return _float.unpack_from(data, place)[1], place + _float.size
    if kind in (_NONE, _TRUE, _FALSE):
        return {_NONE: None, _TRUE: True, _FALSE: False}[kind], place + 1
    length = _length.unpack_from(data, place)[1]
    place += _length.size
    if kind == _TEXT:
        return bytes(data[place : place + length]).decode(), place + length
    if kind == _BYTES:
        return bytes(data[place : place + length]), place + length
    if kind == _LIST:
        entries: list[Any] = []
        for _ in range(length):
            entry, place = _unpacked(data, place)
            entries.append(entry)
        return entries, place
    found: dict[str, Any] = {}
    for _ in range(length):
        name, place = _unpacked(data, place)
        found[name], place = _unpacked(data, place)
    return found, place
