"""How the fake Firestore finds documents: filters, orders, cursors, and the index that a query must have.

Order of values: https://docs.cloud.google.com/firestore/docs/concepts/data-types. Which queries have an index without
one being made: https://docs.cloud.google.com/firestore/docs/query-data/index-overview. Orders and cursors: the comments
of google/firestore/v1/query.proto.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from functools import total_ordering
from typing import TYPE_CHECKING, Any

from portable_conformance.counterparts._firestore_documents import (
    Refusal,
    check_path,
    find,
    invalid,
    masked,
    segments,
    types,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from portable_conformance.counterparts._firestore_store import Database, Transaction

_Query: Any = types.StructuredQuery
_Field = _Query.FieldFilter.Operator
_Unary = _Query.UnaryFilter.Operator
_RANGES = (_Field.LESS_THAN, _Field.LESS_THAN_OR_EQUAL, _Field.GREATER_THAN, _Field.GREATER_THAN_OR_EQUAL)
_DESCENDING = _Query.Direction.DESCENDING
_NAME = "__name__"
_KINDS = (
    "null_value",
    "boolean_value",
    "number",
    "timestamp_value",
    "string_value",
    "bytes_value",
    "reference_value",
    "geo_point_value",
    "array_value",
    "map_value",
)
_RANKS = {kind: rank for rank, kind in enumerate(_KINDS)} | {"integer_value": 2, "double_value": 2}

Key = tuple[Any, ...]
Order = tuple[str, bool]
"""A field path, and whether it descends."""


@total_ordering
class _Down:
    """A key in the opposite order."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and self.key == other.key

    def __lt__(self, other: _Down) -> bool:
        return other.key < self.key

    def __hash__(self) -> int:
        return hash(self.key)


def key_of(value: Any) -> Key:
    """Return what orders values of all types as the service does."""
    kind = value.WhichOneof("value_type")
    rank = _RANKS[kind]
    if kind == "string_value":
        return rank, value.string_value.encode()
    if kind == "double_value":
        number = value.double_value
        return (rank, 0, 0) if number != number else (rank, 1, number)
    if kind == "integer_value":
        return rank, 1, value.integer_value
    if kind == "null_value":
        return (rank,)
    if kind == "timestamp_value":
        return rank, value.timestamp_value.seconds, value.timestamp_value.nanos
    if kind == "reference_value":
        return rank, *_name_key(value.reference_value)
    if kind == "geo_point_value":
        return rank, value.geo_point_value.latitude, value.geo_point_value.longitude
    if kind == "array_value":
        return rank, tuple(key_of(entry) for entry in value.array_value.values)
    if kind == "map_value":
        fields = value.map_value.fields
        return rank, tuple((name.encode(), key_of(fields[name])) for name in sorted(fields, key=str.encode))
    return rank, getattr(value, kind)


def _name_key(name: str) -> Key:
    return tuple(each.encode() for each in name.split("/"))


def _key_at(document: Any, path: str, names: list[str]) -> Key | None:
    if path == _NAME:
        return _RANKS["reference_value"], *_name_key(document.name)
    value = find(document.fields, names)
    return None if value is None else key_of(value)


def run(database: Database, parent: str, query: Any, transaction: Transaction | None) -> tuple[list[Any], int]:
    """Return the documents that *query* gives, and how many it skipped."""
    _, _, parent_path = parent.partition("/documents")
    parent_path = parent_path.strip("/")
    if parent_path:
        check_path(parent_path, document=True)
    selectors = list(query.from_)
    if len(selectors) != 1:
        raise invalid("A query is from one collection selector.")
    filters = _leaves(query.where)
    orders = _orders(query, filters)
    _check_index(query, filters, orders, selectors[0].all_descendants)
    keys, documents = _index(database, parent_path, selectors[0], orders, transaction)
    begin, end = _range(query, filters, orders, keys)
    accepts = _acceptor(query.where)
    skip, limit = query.offset, query.limit.value if query.HasField("limit") else None
    if query.offset < 0 or (limit is not None and limit < 0):
        raise invalid("offset and limit are not negative")
    found: list[Any] = []
    skipped = 0
    for document in documents[begin:end]:
        if limit is not None and len(found) == limit:
            break
        if accepts is not None and not accepts(document):
            continue
        if skipped < skip:
            skipped += 1
            continue
        found.append(document)
    if query.HasField("select"):
        paths = [each.field_path for each in query.select.fields]
        found = [masked(document, paths) for document in found]
    return found, skipped


def _leaves(where: Any) -> list[Any]:
    """Return the field filters that must all hold; those within an OR are no bounds."""
    kind = where.WhichOneof("filter_type")
    if kind == "composite_filter":
        if where.composite_filter.op != _Query.CompositeFilter.Operator.AND:
            return []
        return [leaf for inner in where.composite_filter.filters for leaf in _leaves(inner)]
    return [where.field_filter] if kind == "field_filter" else []


def _orders(query: Any, filters: Sequence[Any]) -> list[Order]:
    orders = [(order.field.field_path, order.direction == _DESCENDING) for order in query.order_by]
    descending = orders[-1][1] if orders else False
    named = {path for path, _ in orders}
    unequal = {each.field.field_path for each in filters if each.op in (*_RANGES, _Field.NOT_EQUAL, _Field.NOT_IN)}
    orders += [(path, descending) for path in sorted(unequal - named - {_NAME})]
    if _NAME not in named:
        orders.append((_NAME, descending))
    return orders


def _check_index(query: Any, filters: Sequence[Any], orders: Sequence[Order], all_descendants: bool) -> None:
    """Raise Refusal where the query needs an index that is not made without being asked for."""
    fields = [path for path, _ in orders if path != _NAME]
    equal = {
        each.field.field_path
        for each in filters
        if each.op in (_Field.EQUAL, _Field.IN, _Field.ARRAY_CONTAINS, _Field.ARRAY_CONTAINS_ANY)
    } - {_NAME}
    own = [(path, descending) for path, descending in orders if path not in equal]
    directions = {descending for _, descending in orders}
    if (
        len(fields) > 1
        or len(directions) > 1
        or (fields and equal - set(fields))
        or (own == [(_NAME, True)])  # Documents stand in the order of their names, ascending.
        or (all_descendants and (fields or equal))
    ):
        raise Refusal("FAILED_PRECONDITION", "The query requires an index. You can create it in the console.")


def _index(
    database: Database, parent: str, selector: Any, orders: Sequence[Order], transaction: Transaction | None
) -> tuple[list[Key], list[Any]]:
    """Return the keys of all documents that have the fields of *orders*, sorted, and the documents."""
    collections = list(database.within(parent, selector.collection_id, selector.all_descendants))
    if transaction is not None:
        transaction.queried.update(path for path, _ in collections)
        transaction.queried.add(f"{parent}/{selector.collection_id}".strip("/"))
    if transaction is None and len(collections) == 1:
        collection = collections[0][1]
        kept = collection.indexes.get(tuple(orders))
        if kept is None or kept[0] != collection.changed:
            kept = (collection.changed, *_sorted(collection.documents(None), orders))
            collection.indexes[tuple(orders)] = kept
        return kept[1], kept[2]
    number = None if transaction is None else transaction.number
    return _sorted([document for _, each in collections for document in each.documents(number)], orders)


def _sorted(documents: Sequence[Any], orders: Sequence[Order]) -> tuple[list[Key], list[Any]]:
    paths = [(path, [] if path == _NAME else segments(path), descending) for path, descending in orders]
    entries: list[tuple[Key, Any]] = []
    for document in documents:
        key: list[Any] = []
        for path, names, descending in paths:
            part = _key_at(document, path, names)
            if part is None:
                break
            key.append(_Down(part) if descending else part)
        else:
            entries.append((tuple(key), document))
    entries.sort(key=lambda entry: entry[0])
    return [key for key, _ in entries], [document for _, document in entries]


def _range(query: Any, filters: Sequence[Any], orders: Sequence[Order], keys: list[Key]) -> tuple[int, int]:
    """Return which of the sorted *keys* lie between the cursors, and within the bounds on the first order's field."""
    begin, end = 0, len(keys)
    if query.HasField("start_at"):
        begin = max(begin, _position(query.start_at, orders, keys, left=query.start_at.before))
    if query.HasField("end_at"):
        end = min(end, _position(query.end_at, orders, keys, left=query.end_at.before))
    path, descending = orders[0]
    for each in filters:
        if each.field.field_path == path and each.op in _RANGES:
            key = key_of(each.value)
            part: Any = _Down(key) if descending else key
            above = each.op in (_Field.GREATER_THAN, _Field.GREATER_THAN_OR_EQUAL)
            strict = each.op in (_Field.GREATER_THAN, _Field.LESS_THAN)
            if above != descending:
                begin = max(begin, (bisect_right if strict else bisect_left)(keys, part, key=lambda key: key[0]))
            else:
                end = min(end, (bisect_left if strict else bisect_right)(keys, part, key=lambda key: key[0]))
    return begin, max(begin, end)


def _position(cursor: Any, orders: Sequence[Order], keys: list[Key], *, left: bool) -> int:
    if len(cursor.values) > len(orders):
        raise invalid("A cursor has more values than the query has orders.")
    parts = [
        _Down(key_of(value)) if descending else key_of(value)
        for value, (_, descending) in zip(cursor.values, orders, strict=False)
    ]
    size = len(parts)
    return (bisect_left if left else bisect_right)(keys, tuple(parts), key=lambda key: key[:size])


def _acceptor(where: Any) -> Callable[[Any], bool] | None:
    """Return what says whether a document passes the filter; None where all do."""
    kind = where.WhichOneof("filter_type")
    if kind is None:
        return None
    if kind == "composite_filter":
        parts = [part for part in map(_acceptor, where.composite_filter.filters) if part is not None]
        if where.composite_filter.op == _Query.CompositeFilter.Operator.OR:
            return lambda document: any(part(document) for part in parts)
        return lambda document: all(part(document) for part in parts)
    if kind == "unary_filter":
        return _unary(where.unary_filter)
    return _compare(where.field_filter)


def _unary(each: Any) -> Callable[[Any], bool]:
    path = each.field.field_path
    names = segments(path)
    null, nan = (_RANKS["null_value"],), struct.unpack("<d", b"\0" * 6 + b"\xf8\x7f")[0]
    wanted = null if each.op in (_Unary.IS_NULL, _Unary.IS_NOT_NULL) else key_of(types.Value.pb()(double_value=nan))
    same = each.op in (_Unary.IS_NULL, _Unary.IS_NAN)

    def accepts(document: Any) -> bool:
        key = _key_at(document, path, names)
        return key is not None and (key == wanted) == same

    return accepts


def _compare(each: Any) -> Callable[[Any], bool]:
    path, op = each.field.field_path, each.op
    names = [] if path == _NAME else segments(path)
    if path == _NAME and not each.value.reference_value and op not in (_Field.IN, _Field.NOT_IN):
        raise invalid("__name__ is compared with a reference.")
    wanted = key_of(each.value)
    several = {key_of(entry) for entry in each.value.array_value.values}

    def accepts(document: Any) -> bool:
        key = _key_at(document, path, names)
        if key is None:
            return False
        if op == _Field.EQUAL:
            return key == wanted
        if op == _Field.NOT_EQUAL:
            return key != wanted and key[0] != _RANKS["null_value"]
        if op == _Field.IN:
            return key in several
        if op == _Field.NOT_IN:
            return key not in several and key[0] != _RANKS["null_value"]
        if op in (_Field.ARRAY_CONTAINS, _Field.ARRAY_CONTAINS_ANY):
            entries = key[1] if key[0] == _RANKS["array_value"] else ()
            return any(entry == wanted or entry in several for entry in entries)
        if key[0] != wanted[0]:  # A range is one of values of one type.
            return False
        if op == _Field.LESS_THAN:
            return key < wanted
        if op == _Field.LESS_THAN_OR_EQUAL:
            return key <= wanted
        return key > wanted if op == _Field.GREATER_THAN else key >= wanted

    return accepts


def partitions(database: Database, parent: str, query: Any, count: int) -> list[Any]:
    """Return cursors that cut the documents of a collection group into up to *count* + 1 parts."""
    selectors = list(query.from_)
    if len(selectors) != 1 or not selectors[0].all_descendants or query.HasField("where") or query.HasField("limit"):
        raise invalid("A partition query is of a collection group with all descendants, ordered by name, no more.")
    if count < 1:
        raise invalid("partition_count is positive")
    documents, _ = run(database, parent, query, None)
    step = max(128, -(-len(documents) // (count + 1)))  # One in some 128 documents can be a cut.
    cursor: Any = types.Cursor.pb()
    return [
        cursor(values=[{"reference_value": documents[place].name}], before=True)
        for place in range(step, len(documents), step)
    ]
