"""Firestore behind the KV contract: one collection, one document an item.

    firestore://entries?project=acme&database=(default)
    firestore://tenants/acme/entries        # a collection within a document

A version is the document's update time, which every write changes. A write is one commit, guarded by preconditions; a
read asks for documents by name; a query is a range of one indexed field. None of them needs an index of your own.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.firestore_v1.types import query as query_types

from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, PortableError, Unavailable
from portable_contracts.kv import Create, Delete, KVDriver, Put
from portable_contracts.provider import Page
from portable_gcp import _call_errors as errors
from portable_gcp import _documents
from portable_gcp._addresses import parameters
from portable_gcp._call_errors import Refused, refusal
from portable_gcp._documents import Version
from portable_gcp._firestore_service import CommitRequest, Database, RunQueryRequest
from portable_gcp._packing import PACKED, escaped
from portable_gcp.limits import FIRESTORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portable_contracts.kv import Item
    from portable_contracts.provider import Address, Opening
    from portable_gcp._call_errors import Reasons

    Message = Any

PAGE_BYTES = 8 * 1024**2
"""A page of large items ends past so many, so that reading it needs little memory."""
CONTENTION_SECONDS = 30.0
"""How long a write that must see what it replaces is tried again, when others write the item all the time."""

_INT64 = 1 << 63
_StructuredQuery: Any = query_types.StructuredQuery.pb()
_Order: Any = query_types.StructuredQuery.Order.pb()
_Filter: Any = query_types.StructuredQuery.Filter.pb()
_Operator = query_types.StructuredQuery.FieldFilter.Operator
_Direction = query_types.StructuredQuery.Direction


class FirestoreTable(KVDriver):
    """One collection of one database."""

    scheme = "firestore"
    capabilities = FIRESTORE

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._parent, _, self._collection = f"/{collection}".rpartition("/")

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> FirestoreTable:
        given = parameters(address.replace(path=""), ("database", "project"))
        endpoint = given.get("endpoint")
        collection = (address.name + address.path).rstrip("/")
        ids = collection.split("/")
        if len(ids) % 2 == 0 or not all(map(_is_id, ids)):
            raise InvalidArgument(
                f"address {address}: {collection!r} is no collection: write firestore://COLLECTION, or "
                "firestore://COLLECTION/DOCUMENT/COLLECTION"
            )
        database = Database(
            given.get("project"),
            given.get("database") or "(default)",
            endpoint.rstrip("/") if endpoint else None,
        )
        return cls(database, collection)

    def classify(self, error: Exception) -> type[PortableError]:
        return errors.classify(error)

    def explain(self, error: Exception) -> str:
        return errors.explain(error) or super().explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return errors.changed_nothing(error)

    def reasons(self, error: Exception) -> Reasons:
        return error.reasons if isinstance(error, Refused) else ()

    def native(self) -> Any:
        return self._database.client()

    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        document = self._document(self._name(partition, sort))
        return _documents.item(document) if document is not None and _documents.is_live(document, now) else None

    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        names = [self._name(partition, sort) for partition, sort in keys]
        found = self._database.service().documents(names)
        return [_documents.item(found[name]) if _documents.is_live(found.get(name), now) else None for name in names]

    def put(
        self,
        partition: str,
        sort: str,
        value: Any,
        *,
        expires: float | None,
        if_version: str | None,
        if_absent: bool,
        now: float,
    ) -> str:
        moment = None if expires is None else _documents.microseconds(expires)
        request = self._request()
        write = request.writes.add()
        write.update.name = self._name(partition, sort)
        _documents.fill(write.update, partition, sort, value, moment)
        if if_version is not None:
            write.current_document.CopyFrom(_guard(if_version, now))
            answer = self._commit_guarded(request)
        elif if_absent:
            answer = self._create(request, write, now)
        else:
            answer = self._database.service().commit(request)
        return _documents.version_of(answer.write_results[0].update_time, moment)

    def _create(self, request: Message, write: Message, now: float) -> Message:
        write.current_document.exists = False
        for wait in _waits():
            try:
                return self._database.service().commit(request)
            except GoogleAPICallError as error:
                if refusal(error) is None:
                    raise
                document = self._document(write.update.name)
                if _documents.is_live(document, now):
                    raise Refused(AlreadyExists, "there is an item already") from error
                # One that expired counts as none, and makes room.
                write.current_document.CopyFrom(_over(document))
                time.sleep(wait)
        raise _contended("create")

    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        request = self._request()
        write = request.writes.add(delete=self._name(partition, sort))
        if if_version is None:
            self._database.service().commit(request)
            return
        write.current_document.CopyFrom(_guard(if_version, now))
        self._commit_guarded(request)

    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        # The service's own increment takes the place of what is no number, stops at the largest one, and does not see
        # that an item expired: so it is told the version that these were checked on.
        name = self._name(partition, sort)
        for wait in _waits():
            document = self._document(name)
            there = document if _documents.is_live(document, now) else None
            value = None if there is None else there.fields["value"]
            total = _sum(value, field, by)
            request = self._request()
            write = request.writes.add()
            write.update.name = name
            write.current_document.CopyFrom(_over(document))
            if value is None:
                _documents.fill(write.update, partition, sort, {field: total}, None)
            elif PACKED in value.map_value.fields:
                whole = {**_documents.read(value), field: total}
                _documents.fill(write.update, partition, sort, whole, _documents.expiry(document))
            else:
                write.update.fields["write"].string_value = _documents.new_write()
                write.update_mask.field_paths.append("write")
                path = escaped(field).replace("\\", "\\\\").replace("`", "\\`")
                write.update_transforms.add(field_path=f"value.`{path}`").increment.integer_value = by
            try:
                self._database.service().commit(request)
            except GoogleAPICallError as error:
                if refusal(error) is None:
                    raise
                time.sleep(wait)
            else:
                return total
        raise _contended("increment")

    def query_page(
        self,
        partition: str,
        *,
        start: str | None,
        stop: str | None,
        after: str | None,
        reverse: bool,
        limit: int,
        now: float,
    ) -> Page[Item]:
        prefix = partition + _documents.END
        lower = (_Operator.GREATER_THAN_OR_EQUAL, prefix + (start or ""))
        upper = (_Operator.LESS_THAN, partition + _documents.AFTER_END if stop is None else prefix + stop)
        if after is not None and reverse:
            upper = (_Operator.LESS_THAN, prefix + after)
        elif after is not None:
            lower = (_Operator.GREATER_THAN, prefix + after)
        bounds = [_field_filter("key", operator, {"string_value": bound}) for operator, bound in (lower, upper)]
        order = _Order(
            field={"field_path": "key"}, direction=_Direction.DESCENDING if reverse else _Direction.ASCENDING
        )
        documents, more = self._query(bounds, order, limit)
        cursor = documents[-1].fields["sort"].string_value if more else None
        return Page(_documents.live(documents, now), cursor)

    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        bounds = []
        if cursor is not None:
            bounds.append(self._id_filter(_Operator.GREATER_THAN, cursor))
        elif segment > 0:
            bounds.append(self._id_filter(_Operator.GREATER_THAN_OR_EQUAL, _cut(segment, segments)))
        if segment < segments - 1:
            bounds.append(self._id_filter(_Operator.LESS_THAN, _cut(segment + 1, segments)))
        order = _Order(field={"field_path": "__name__"}, direction=_Direction.ASCENDING)
        documents, more = self._query(bounds, order, limit)
        return Page(_documents.live(documents, now), documents[-1].name.rpartition("/")[2] if more else None)

    def _query(self, bounds: Sequence[Message], order: Message, limit: int) -> tuple[list[Message], bool]:
        """Return the documents of a page, and whether there may be more."""
        service = self._database.service()
        query = _StructuredQuery(limit={"value": limit}, order_by=[order])
        query.from_.add(collection_id=self._collection)
        if bounds:
            query.where.CopyFrom(_Filter(composite_filter={"op": "AND", "filters": bounds}))
        request = RunQueryRequest(parent=f"{service.root}/documents{self._parent}", structured_query=query)
        documents, cut = service.query(request, PAGE_BYTES)
        return documents, cut or len(documents) == limit

    def _id_filter(self, operator: Any, document_id: str) -> Message:
        return _field_filter("__name__", operator, {"reference_value": self._path(document_id)})

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        names = [self._name(partition, operation.sort) for operation in operations]
        moments = [_moment(operation) for operation in operations]
        request = self._request()
        versions = [_version(operation) for operation in operations]
        hopeless = False
        for operation, name, moment, version in zip(operations, names, moments, versions, strict=True):
            write = request.writes.add()
            if isinstance(operation, Delete):
                write.delete = name
            else:
                write.update.name = name
                _documents.fill(write.update, partition, operation.sort, operation.value, moment)
            if isinstance(operation, Create):
                write.current_document.exists = False
            elif operation.if_version is not None:
                if version is None or not version.live(now):
                    hopeless = True
                else:
                    write.current_document.CopyFrom(version.precondition())
        for wait in _waits():
            cause: Exception | None = None
            if not hopeless:
                try:
                    answer = self._database.service().commit(request)
                except GoogleAPICallError as error:
                    if refusal(error) is None:
                        raise
                    cause = error
                else:
                    return [
                        None if isinstance(operation, Delete) else _documents.version_of(result.update_time, moment)
                        for operation, result, moment in zip(operations, answer.write_results, moments, strict=True)
                    ]
            # The service names one operation that it refused: what there is says why, for each.
            found = self._database.service().documents(names)
            reasons = [
                _reason(operation, version, found.get(name), now)
                for operation, version, name in zip(operations, versions, names, strict=True)
            ]
            if any(reasons):
                refusals = ", ".join(
                    f"{type(operation).__name__} {operation.sort!r} ({reason.__name__})"
                    for operation, reason in zip(operations, reasons, strict=True)
                    if reason is not None
                )
                raise Refused(Conflict, f"nothing was done, because of {refusals}", reasons) from cause
            for operation, write, name in zip(operations, request.writes, names, strict=True):
                if isinstance(operation, Create):  # Over one that expired, or that is gone by now.
                    write.current_document.CopyFrom(_over(found.get(name)))
            time.sleep(wait)
        raise _contended("transact")

    def _commit_guarded(self, request: Message) -> Message:
        """Commit a write that has a precondition. Raises Refused where that does not hold."""
        try:
            return self._database.service().commit(request)
        except GoogleAPICallError as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise refused from error

    def _request(self) -> Message:
        return CommitRequest(database=self._database.service().root)

    def _document(self, name: str) -> Message | None:
        return self._database.service().documents([name]).get(name)

    def _name(self, partition: str, sort: str) -> str:
        return self._path(_documents.document_id(partition, sort))

    def _path(self, document_id: str) -> str:
        return f"{self._database.service().root}/documents{self._parent}/{self._collection}/{document_id}"


def _is_id(word: str) -> bool:
    # https://docs.cloud.google.com/firestore/quotas#collections_documents_and_fields
    reserved = word in ("", ".", "..") or (word.startswith("__") and word.endswith("__"))
    return not reserved and len(word.encode()) <= 1500


def _cut(segment: int, segments: int) -> str:
    """Return where a segment begins among the digits that ids begin with."""
    return f"{segment * _documents.SEGMENT_STEPS // segments:04x}"


def _field_filter(field: str, operator: Any, value: dict[str, str]) -> Message:
    return _Filter(field_filter={"field": {"field_path": field}, "op": operator, "value": value})


def _guard(if_version: str, now: float) -> Message:
    """Return the precondition that the item is there, at *if_version*. Raises Refused where that cannot be."""
    version = Version.parse(if_version)
    if version is None:
        raise Refused(Conflict, f"{if_version!r} is no version that this service made")
    if not version.live(now):
        raise Refused(Conflict, "the item at this version has expired")
    return version.precondition()


def _over(document: Message | None) -> Message:
    """Return the precondition that nothing has changed since *document* was read."""
    if document is None:
        return _documents.Precondition(exists=False)
    return _documents.Precondition(update_time=document.update_time)


def _contended(operation: str) -> Refused:
    return Refused(Unavailable, f"others wrote the item throughout {CONTENTION_SECONDS:.0f} s of {operation}")


def _sum(value: Message | None, field: str, by: int) -> int:
    """Return the sum that the field of an item's *value* will be. Raises Refused."""
    before: Any = 0
    if value is not None:
        if value.WhichOneof("value_type") != "map_value":
            raise Refused(InvalidArgument, "the item's value is not a map")
        if PACKED in value.map_value.fields:
            entry = _documents.read(value)
            before = entry.get(field, 0) if type(entry) is dict else None
        elif (name := escaped(field)) in value.map_value.fields:
            before = _documents.read(value.map_value.fields[name])
    if type(before) is not int:
        raise Refused(InvalidArgument, f"field {field!r} is not an int")
    if not -_INT64 <= before + by < _INT64:
        raise Refused(InvalidArgument, f"field {field!r} would be {before + by}, which is beyond 64 bits")
    return before + by


def _moment(operation: Put | Create | Delete) -> int | None:
    if isinstance(operation, Delete) or operation.expires is None:
        return None
    return _documents.microseconds(operation.expires.timestamp())


def _version(operation: Put | Create | Delete) -> Version | None:
    guarded = not isinstance(operation, Create) and operation.if_version is not None
    return Version.parse(operation.if_version) if guarded else None  # type: ignore[union-attr,arg-type]  # see guarded


def _reason(
    operation: Put | Create | Delete, version: Version | None, document: Message | None, now: float
) -> type[PortableError] | None:
    """Return why the item's *document* refuses *operation*; *version* is what guards it."""
    there = _documents.is_live(document, now)
    if isinstance(operation, Create):
        return AlreadyExists if there else None
    if operation.if_version is None:
        return None
    matches = there and version is not None and _over(document) == version.precondition()
    return None if matches else Conflict


def _waits() -> Iterator[float]:
    """Give the seconds to wait after each attempt, more and more of them and never the same, until the time is over."""
    limit = time.monotonic() + CONTENTION_SECONDS
    longest = 0.002
    while time.monotonic() < limit:
        yield random.uniform(0, longest)  # noqa: S311  # jitter, not a secret
        longest = min(0.5, longest * 2)
