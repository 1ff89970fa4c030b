"""Items as Firestore documents, in Google's own protobuf messages.

    partition, sort   the item's keys
    key               both in one text: a range of it is a range of a partition, and its index needs no making
    value             the value, natively: `_packing` says how
    write             random: an equal value written again is a change too, so it changes the document's update time
    expires           a timestamp, only where the item expires: the field for a TTL policy

The id is the keys too, after four digits of their digest. These spread the documents over the collection: ids that
ascend make one server do the work (https://docs.cloud.google.com/firestore/docs/best-practices), and a scan can be
cut at any of them.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from zlib import compress

from google.cloud.firestore_v1.types import common as common_types
from google.cloud.firestore_v1.types import document as document_types

from portable_contracts._value import Value
from portable_contracts.kv import Item
from portable_gcp._firestore import value_of
from portable_gcp._packing import LIST, PACKED, escaped, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable

# The messages themselves: the SDK's wrappers of them cost several times as much.
Message = Any
Precondition: Any = common_types.Precondition.pb()
_Value: Any = document_types.Value.pb()

END, AFTER_END = "\t", "\n"
"""What ends the partition in `key`, and the next character: no portable key holds a control character."""
SEGMENT_STEPS = 16**4
"""Into how many parts the ids can be cut."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NATIVE_DEPTH = 18
"""Levels that are written natively: the service has 20, and its pages leave open what counts as one."""
_MOST_ID_BYTES = 1500
_MOST_NAME_BYTES = 1500
_MOST_VALUE_BYTES = 1_048_576 - 8192
"""Of a document, without its name and its other fields."""
_SURELY_SMALL = _MOST_VALUE_BYTES // 9
"""A message of so many bytes is no value that is too large: a map in a list counts 32 bytes, and takes four."""


class Version(Value):
    """An item's version: when the document was last written, and when the item expires, so that a guard sees both."""

    seconds: int
    nanos: int
    expires: int | None
    """Microseconds since the epoch."""

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """Read what `version_of` made; None for any other text."""
        match = re.fullmatch(r"(\d{1,12})\.(\d{9})(?:~(-?\d{1,18}))?", text, re.ASCII)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]), None if match[3] is None else int(match[3]))

    def live(self, now: float) -> bool:
        """Say whether an item at this version is there still."""
        return self.expires is None or self.expires > now * 1e6

    def precondition(self) -> Message:
        return Precondition(update_time={"seconds": self.seconds, "nanos": self.nanos})


def version_of(update_time: Message, expires: int | None) -> str:
    text = f"{update_time.seconds}.{update_time.nanos:09d}"
    return text if expires is None else f"{text}~{expires}"


def microseconds(expires: float) -> int:
    return round(expires * 1_000_000)


def document_id(partition: str, sort: str) -> str:
    """Return the id of the item's document: readable, except where that would be too long."""
    digest = sha256(f"{partition}{END}{sort}".encode()).hexdigest()
    readable = f"{digest[:4]}:{_quoted(partition)}:{_quoted(sort)}"
    return readable if len(readable) * 4 <= _MOST_ID_BYTES or len(readable.encode()) <= _MOST_ID_BYTES else digest


def _quoted(key: str) -> str:
    return key.replace("%", "%25").replace("/", "%2F").replace(":", "%3A")


def fill(document: Message, partition: str, sort: str, value: Any, expires: int | None) -> None:
    """Write the item into *document*, an empty one."""
    fields = document.fields
    fields["partition"].string_value = partition
    fields["sort"].string_value = sort
    fields["key"].string_value = f"{partition}{END}{sort}"
    fields["write"].string_value = new_write()
    if expires is not None:
        fields["expires"].timestamp_value.FromMicroseconds(expires)
    target = fields["value"]
    try:
        _fill(target, value, _NATIVE_DEPTH)
        native = target.ByteSize() <= _SURELY_SMALL or _size(target) <= _MOST_VALUE_BYTES
    except _NameTooLong:
        native = False
    if not native:
        target.Clear()
        _pack(target, value)


def new_write() -> str:
    return os.urandom(8).hex()


def is_item(document: Message) -> bool:
    """Say whether portable wrote *document*: somebody else's may stand in the collection too."""
    fields = document.fields
    return "partition" in fields and "sort" in fields and "value" in fields


def expiry(document: Message) -> int | None:
    fields = document.fields
    if "expires" not in fields or fields["expires"].WhichOneof("value_type") != "timestamp_value":
        return None
    microseconds: int = fields["expires"].timestamp_value.ToMicroseconds()
    return microseconds


def item(document: Message) -> Item:
    """Return the item that *document* holds."""
    fields = document.fields
    expires = expiry(document)
    return Item(
        fields["partition"].string_value,
        fields["sort"].string_value,
        read(fields["value"]),
        version_of(document.update_time, expires),
        None if expires is None else _EPOCH + timedelta(microseconds=expires),
    )


def is_live(document: Message | None, now: float) -> bool:
    """Say whether *document* is an item that has not expired."""
    if document is None or not is_item(document):
        return False
    expires = expiry(document)
    return expires is None or expires > now * 1e6


def live(documents: Iterable[Message], now: float) -> list[Item]:
    """Return the items of *documents* that have not expired."""
    return [item(document) for document in documents if is_live(document, now)]


class _NameTooLong(Exception):
    """A map has a name that no field may have."""


def _fill(target: Message, value: Any, levels: int) -> None:
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif kind is dict:
        if levels <= 0:
            _pack(target, value)
            return
        inner = target.map_value
        inner.SetInParent()
        fields = inner.fields
        for name, entry in value.items():
            field = escaped(name)
            if len(field) * 4 > _MOST_NAME_BYTES and len(field.encode()) > _MOST_NAME_BYTES:
                raise _NameTooLong
            _fill(fields[field], entry, levels - 1)
    elif kind is int:
        target.integer_value = value
    elif kind is list:
        if levels <= 0:
            _pack(target, value)
            return
        array = target.array_value
        array.SetInParent()
        values = array.values
        for entry in value:
            if type(entry) is not list:
                _fill(values.add(), entry, levels - 1)
            elif levels > 2:
                _fill(values.add().map_value.fields[LIST], entry, levels - 2)
            else:
                _pack(values.add(), entry)
    elif value is None:
        target.null_value = 0
    elif kind is bool:
        target.boolean_value = value
    elif kind is float:
        target.double_value = value
    else:
        target.bytes_value = value


def _pack(target: Message, value: Any) -> None:
    plain = _Value()
    _fill_plain(plain, value)
    target.map_value.fields[PACKED].bytes_value = compress(plain.SerializeToString(), 1)


def _fill_plain(target: Message, value: Any) -> None:
    """Write *value* as a message that no document has to hold."""
    kind = type(value)
    if kind is dict:
        inner = target.map_value
        inner.SetInParent()
        for name, entry in value.items():
            _fill_plain(inner.fields[name], entry)
    elif kind is list:
        array = target.array_value
        array.SetInParent()
        for entry in value:
            _fill_plain(array.values.add(), entry)
    else:
        _fill(target, value, 0)


def _size(value: Message) -> int:
    """Return the bytes that the service counts: https://docs.cloud.google.com/firestore/docs/storage-size"""
    kind = value.WhichOneof("value_type")
    if kind == "string_value":
        return len(value.string_value.encode()) + 1
    if kind == "map_value":
        fields = value.map_value.fields
        return 32 + sum(len(name.encode()) + 1 + _size(fields[name]) for name in fields)
    if kind == "array_value":
        return sum(map(_size, value.array_value.values))
    if kind == "bytes_value":
        return len(value.bytes_value)
    return 1 if kind in ("null_value", "boolean_value") else 8


def read(value: Message) -> Any:
    """Return the portable value that a document's value stands for."""
    kind = value.WhichOneof("value_type")
    if kind == "string_value":
        return value.string_value
    if kind == "integer_value":
        return value.integer_value
    if kind == "map_value":
        fields = value.map_value.fields
        if len(fields) == 1:
            if LIST in fields and fields[LIST].WhichOneof("value_type") == "array_value":
                return [read(entry) for entry in fields[LIST].array_value.values]
            if PACKED in fields and fields[PACKED].WhichOneof("value_type") == "bytes_value":
                return unpacked(fields[PACKED].bytes_value)
        return {name[1:] if name[:1] == "~" else name: read(entry) for name, entry in fields.items()}
    if kind == "array_value":
        return [read(entry) for entry in value.array_value.values]
    if kind == "double_value":
        return value.double_value
    if kind == "boolean_value":
        return value.boolean_value
    if kind == "bytes_value":
        return value.bytes_value
    if kind == "null_value":
        return None
    return value_of(value.SerializeToString())  # What portable never writes: as changes show it.
