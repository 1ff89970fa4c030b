"""What the fake Firestore lets into a document: names, fields, sizes, masks and transforms.

Rules: https://docs.cloud.google.com/firestore/quotas#collections_documents_and_fields,
https://docs.cloud.google.com/firestore/docs/storage-size, and the comments of document.proto and write.proto in
https://github.com/googleapis/googleapis/tree/master/google/firestore/v1.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

types: Any = import_module("google.cloud.firestore_v1.types")
Document: Any = types.Document.pb()
Value: Any = types.Value.pb()

MAX_DOCUMENT_BYTES = 1_048_576
MAX_FIELD_BYTES = 1_048_487
MAX_NAME_BYTES = 1500
MAX_PATH_BYTES = 6 * 1024
MAX_DEPTH = 20
MAX_IDS = 100
MAX_TRANSFORMS = 500
INT64 = 1 << 63

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


class Refusal(Exception):
    """A call that fails: the name of a gRPC status, and what is said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refusal:
    return Refusal("INVALID_ARGUMENT", message)


def check_path(path: str, *, document: bool) -> None:
    """Raise Refusal unless *path*, after `documents/`, names a document, or else a collection."""
    ids = path.split("/")
    if (len(ids) % 2 == 0) != document or len(ids) > 2 * MAX_IDS:
        raise invalid(f'Document name "{path}" has {len(ids)} segments')
    for number, each in enumerate(ids):
        what = "document" if number % 2 else "collection"
        if each in ("", ".", ".."):
            raise invalid(f'Resource id "{each}" of a {what} is invalid: empty, "." or ".."')
        reserved = each.startswith("__") and each.endswith("__") and len(each) >= 4
        if reserved and not re.fullmatch(r"__id\d+__", each):
            raise invalid(f'Resource id "{each}" is invalid because it is reserved.')
        if len(each.encode()) > MAX_NAME_BYTES:
            raise invalid(f"Resource id is longer than {MAX_NAME_BYTES} bytes")
    if len(path.encode()) > MAX_PATH_BYTES:
        raise invalid(f"The name is longer than {MAX_PATH_BYTES} bytes")


def check_fields(document: Any) -> None:
    """Raise Refusal for fields that no document may have, and for a document that is too large."""
    size = name_size(document.name.partition("/documents/")[2]) + 32
    for name in document.fields:
        check_name(name)
        own = value_size(document.fields[name], 1, in_array=False)
        if own > MAX_FIELD_BYTES:
            raise invalid(f'The value of property "{name}" is longer than {MAX_FIELD_BYTES} bytes.')
        size += len(name.encode()) + 1 + own
    if size > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"Document '{document.name}' cannot be written because its size ({size:,} bytes) exceeds the maximum "
            f"allowed size of {MAX_DOCUMENT_BYTES:,} bytes."
        )


def check_name(name: str) -> None:
    if not name:
        raise invalid("Field names cannot be empty.")
    if name.startswith("__") and name.endswith("__") and len(name) >= 4:
        raise invalid(f'field name "{name}" is reserved: it is like __.*__')
    if len(name.encode()) > MAX_NAME_BYTES:
        raise invalid(f"a field name is longer than {MAX_NAME_BYTES} bytes")


def name_size(path: str) -> int:
    return sum(len(each.encode()) + 1 for each in path.split("/")) + 16


def value_size(value: Any, depth: int, *, in_array: bool) -> int:
    """Return the bytes that *value* counts; check what is in it. *depth* is its own, 1 for a field's."""
    kind = value.WhichOneof("value_type")
    if kind == "string_value":
        return len(value.string_value.encode()) + 1
    if kind in ("integer_value", "double_value", "timestamp_value"):
        return 8
    if kind in ("null_value", "boolean_value"):
        return 1
    if kind == "bytes_value":
        return len(value.bytes_value)
    if kind == "reference_value":
        return name_size(value.reference_value.partition("/documents/")[2])
    if kind == "geo_point_value":
        return 16
    if kind in ("array_value", "map_value") and depth > MAX_DEPTH:
        raise invalid(f"A value is nested deeper than the maximum of {MAX_DEPTH} levels.")
    if kind == "array_value":
        if in_array:
            raise invalid("Cannot convert an array value in an array value.")
        return sum(value_size(entry, depth + 1, in_array=True) for entry in value.array_value.values)
    if kind == "map_value":
        size = 32
        fields = value.map_value.fields
        for name in fields:
            check_name(name)
            size += len(name.encode()) + 1 + value_size(fields[name], depth + 1, in_array=False)
        return size
    raise invalid("A value has no type, or one that is of no document.")


def segments(path: str) -> list[str]:
    """Return the names of a field path: simple ones, or in backquotes with backslash escapes."""
    found: list[str] = []
    place = 0
    while True:
        if path[place : place + 1] == "`":
            name, place = _quoted(path, place + 1)
        else:
            match = _SIMPLE.match(path, place)
            if match is None:
                raise invalid(f'Invalid property path "{path}". Unquoted names are like [a-zA-Z_][a-zA-Z_0-9]*')
            name, place = match[0], match.end()
        found.append(name)
        if place == len(path):
            return found
        if path[place] != ".":
            raise invalid(f'Invalid property path "{path}".')
        place += 1


def _quoted(path: str, place: int) -> tuple[str, int]:
    name = ""
    while place < len(path):
        sign = path[place]
        if sign == "`":
            return name, place + 1
        if sign == "\\":
            place += 1
            sign = path[place : place + 1]
        name += sign
        place += 1
    raise invalid(f'Invalid property path "{path}": a backquote is not closed.')


def find(fields: Any, names: list[str]) -> Any:
    """Return the value at a path, or None."""
    for name in names[:-1]:
        if name not in fields or fields[name].WhichOneof("value_type") != "map_value":
            return None
        fields = fields[name].map_value.fields
    return fields.get(names[-1])


def place_of(fields: Any, names: list[str]) -> Any:
    """Return the value at a path, made where it is missing; what is on the way and no map becomes one."""
    for name in names[:-1]:
        inner = fields[name].map_value
        inner.SetInParent()
        fields = inner.fields
    return fields[names[-1]]


def remove(fields: Any, names: list[str]) -> None:
    for name in names[:-1]:
        if name not in fields or fields[name].WhichOneof("value_type") != "map_value":
            return
        fields = fields[name].map_value.fields
    if names[-1] in fields:
        del fields[names[-1]]


def masked(document: Any, paths: Any) -> Any:
    """Return *document* with the fields at *paths* alone."""
    result = Document(name=document.name, create_time=document.create_time, update_time=document.update_time)
    for path in paths:
        if path == "__name__":
            continue
        names = segments(path)
        value = find(document.fields, names)
        if value is not None:
            place_of(result.fields, names).CopyFrom(value)
    return result


def transform(fields: Any, transforms: Any, now: Any) -> list[Any]:
    """Apply field transforms, and return what each gives."""
    if len(transforms) > MAX_TRANSFORMS:
        raise invalid(f"A document has more than {MAX_TRANSFORMS} transforms in one commit.")
    return [_transformed(place_of(fields, segments(each.field_path)), each, now) for each in transforms]


def _transformed(target: Any, each: Any, now: Any) -> Any:
    kind = each.WhichOneof("transform_type")
    if kind == "set_to_server_value":
        target.timestamp_value.CopyFrom(now)
        return target
    if kind in ("increment", "maximum", "minimum"):
        operand = getattr(each, kind)
        before, by = _number(target), _number(operand)
        if by is None:
            raise invalid(f"{kind} takes a number")
        if before is None:
            target.CopyFrom(operand)
        elif kind == "increment":
            total = before + by
            if type(total) is int:
                target.integer_value = max(-INT64, min(INT64 - 1, total))
            else:
                target.double_value = total
        elif by != before and (by > before) == (kind == "maximum"):
            target.CopyFrom(operand)
        return target
    entries = list(getattr(each, kind).values)
    values = list(target.array_value.values) if target.WhichOneof("value_type") == "array_value" else []
    if kind == "append_missing_elements":
        for entry in entries:
            if entry not in values:
                values.append(entry)
    else:
        values = [value for value in values if value not in entries]
    kept = [Value.FromString(value.SerializeToString()) for value in values]
    target.array_value.CopyFrom(type(target.array_value)(values=kept))
    return Value(null_value=0)


def _number(value: Any) -> int | float | None:
    kind = value.WhichOneof("value_type")
    if kind == "integer_value":
        whole: int = value.integer_value
        return whole
    return float(value.double_value) if kind == "double_value" else None
