"""Tables of DynamoDB, by its low-level API: a value is a native map, list, text or number, readable in the console.

    {"partition": {"S": "welcome"}, "sort": {"S": "2026-11-20"}, "value": {"M": {...}},
     "version": {"S": "9f86d081884c7d65"}, "expires": {"N": "1795132800"}}

`dynamodb://TABLE?partition=pk&sort=sk` is a table whose keys have other names, both text; `&sort=` one without a sort
key. `expires` is what the table's time to live is set to, in whole seconds.
"""

from __future__ import annotations

import json
import math
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from portable_aws import _errors
from portable_aws._addresses import place
from portable_aws._attributes import NO_SORT, attribute, named, plain, portable
from portable_aws._clients import client
from portable_aws.limits import DYNAMODB
from portable_contracts._value import maker
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PortableError,
    Unavailable,
    Unsupported,
)
from portable_contracts.kv import Create, Delete, Item, KVDriver, Put
from portable_contracts.provider import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from portable_contracts.provider import Address, Opening

    Attributes = Mapping[str, Mapping[str, Any]]

VALUE, VERSION, EXPIRES = "value", "version", "expires"
FLOATS = "floats"
"""It marks a map that has a float at its top: nothing in a condition tells 1.5 from an int."""
FOREIGN = "written by another program"
"""The version of an item that another program wrote: it says nothing, and guards nothing."""

_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_INT64 = 1 << 63
_REFUSED, _CANCELED = "ConditionalCheckFailedException", "TransactionCanceledException"

_CROSSED = frozenset({_CANCELED, "TransactionConflictException", "ReplicatedWriteConflictException"})
"""Another write came between, and this one was not begun."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html, and each operation's page.
_KINDS: Mapping[str, type[PortableError]] = {
    _REFUSED: Conflict,
    "IdempotentParameterMismatchException": InvalidArgument,
    "ItemCollectionSizeLimitExceededException": LimitExceeded,
    "ReplicatedWriteConflictException": Unavailable,
    "ResourceInUseException": Unavailable,
    "ResourceNotFoundException": NotFound,
    "SerializationException": InvalidArgument,
    "TableNotFoundException": NotFound,
    "TransactionConflictException": Unavailable,
    "TransactionInProgressException": Unavailable,
    "ValidationException": InvalidArgument,
}
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancellationReason.html
_REASONS: Mapping[str, type[PortableError]] = {
    "AccessDenied": PortableError,
    "ConditionalCheckFailed": Conflict,
    "DuplicateItem": AlreadyExists,
    "ItemCollectionSizeLimitExceeded": LimitExceeded,
    "ProvisionedThroughputExceeded": Unavailable,
    "ThrottlingError": Unavailable,
    "TransactionConflict": Unavailable,
    "ValidationError": InvalidArgument,
}

_THERE = f"(attribute_not_exists({EXPIRES}) OR {EXPIRES} > :now)"
_AT_VERSION = f"#version = :version AND {_THERE}"
_ABSENT = f"attribute_not_exists(#partition) OR (attribute_type(#version, :text) AND {EXPIRES} <= :now)"
_ADD = "SET #value.#field = if_not_exists(#value.#field, :zero) + :by, #version = :new"
_COUNTS = (
    f"{_THERE} AND attribute_type(#version, :text) AND attribute_type(#value, :map) AND attribute_not_exists({FLOATS})"
    " AND (attribute_not_exists(#value.#field) OR #value.#field BETWEEN :least AND :most)"
)

_item = maker(Item)


class DynamoTable(KVDriver):
    """One table of DynamoDB, or of what speaks its protocol."""

    scheme = "dynamodb"
    capabilities = DYNAMODB

    def __init__(self, table: str, partition: str, sort: str, region: str | None, endpoint: str | None) -> None:
        self._table = table
        self._partition = partition
        self._sort = sort
        """Empty where the table has no sort key."""
        self._region = region
        self._endpoint = endpoint

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> DynamoTable:
        where = place(address, opening, ("partition", "sort"))
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
        if not 3 <= len(where.name) <= 255 or not _NAMES.issuperset(where.name):
            raise InvalidArgument(f"address {address}: a table's name is 3 to 255 of a-z A-Z 0-9 . _ -")
        partition, sort = where.parameters.get("partition", "partition"), where.parameters.get("sort", "sort")
        taken = {VALUE, VERSION, EXPIRES, FLOATS}
        if not partition or partition == sort or {partition, sort} & taken:
            raise InvalidArgument(
                f"address {address}: its keys cannot be the attributes {partition!r} and {sort!r}: "
                f"name two others than {', '.join(sorted(taken))}"
            )
        return cls(where.name, partition, sort, where.region, where.endpoint)

    def native(self) -> Any:
        # What is sent is made here: botocore need not check it against its model.
        return client("dynamodb", region=self._region, endpoint=self._endpoint, parameter_validation=False)

    # Errors.

    def classify(self, error: Exception) -> type[PortableError]:
        code = _errors.code_of(error)
        if code == _REFUSED:
            return AlreadyExists if getattr(error, "of_create", False) else Conflict
        if code == _CANCELED:
            return _worst(self.reasons(error))
        if code == "ValidationException" and "size has exceeded" in str(error):
            return LimitExceeded
        return _errors.classify(error, _KINDS)

    def explain(self, error: Exception) -> str:
        code = _errors.code_of(error)
        if code == _REFUSED:
            of_create = getattr(error, "of_create", False)
            return "there is an item already" if of_create else "the item is not at that version"
        if code == _CANCELED:
            reasons = enumerate(self.reasons(error))
            refused = ", ".join(f"operation {index} ({kind.__name__})" for index, kind in reasons if kind is not None)
            return f"nothing was done, because of {refused or 'what the service does not say'}"
        if code == "ResourceNotFoundException":
            return f"there is no table {self._table} in {self.native().meta.region_name}"
        return _errors.explain(error)

    def reasons(self, error: Exception) -> Sequence[type[PortableError] | None]:
        if not isinstance(error, ClientError):
            return ()
        creates: Sequence[bool] = getattr(error, "creates", ())
        found: list[type[PortableError] | None] = []
        for index, reason in enumerate(error.response.get("CancellationReasons", ())):
            code = reason.get("Code", "None")
            kind = None if code == "None" else _REASONS.get(code, PortableError)
            found.append(AlreadyExists if kind is Conflict and creates[index : index + 1] == [True] else kind)
        return found

    def retry_after(self, error: Exception) -> float | None:
        return _errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _errors.code_of(error) in _CROSSED or _errors.changed_nothing(error)

    # Items.

    def _key(self, partition: str, sort: str) -> dict[str, Any]:
        if self._sort:
            return {self._partition: {"S": partition}, self._sort: {"S": sort or NO_SORT}}
        if sort:
            raise InvalidArgument(
                f"table {self._table} has no sort key: its items are at the empty one, not at {sort!r}"
            )
        return {self._partition: {"S": partition}}

    def _keys_of(self, attributes: Attributes) -> tuple[str, str]:
        (partition,) = attributes[self._partition].values()
        (sort,) = attributes[self._sort].values() if self._sort else ("",)
        return partition, "" if sort == NO_SORT else sort

    def _read(self, attributes: Attributes, now: float) -> Item | None:
        """Return the item, or None where it has expired."""
        partition, sort = self._keys_of(attributes)
        value, version = attributes.get(VALUE), attributes.get(VERSION)
        if value is None or version is None or "S" not in version:
            keys = (self._partition, self._sort)
            others = {name: plain(each, name) for name, each in attributes.items() if name not in keys}
            return Item(partition, sort, others, FOREIGN)
        expires = attributes.get(EXPIRES)
        if expires is None:
            return _item(partition, sort, portable(value), version["S"])  # type: ignore[no-any-return]  # an Item
        seconds = float(expires["N"])
        if seconds <= now:
            return None
        return Item(partition, sort, portable(value), version["S"], datetime.fromtimestamp(seconds, timezone.utc))

    def _written(self, partition: str, sort: str, value: Any, expires: float | None, version: str) -> dict[str, Any]:
        attributes = self._key(partition, sort)
        attributes[VALUE] = attribute(value)
        attributes[VERSION] = {"S": version}
        if expires is not None:
            attributes[EXPIRES] = {"N": str(math.ceil(expires))}
        if type(value) is dict and float in map(type, value.values()):
            attributes[FLOATS] = {"BOOL": True}
        return attributes

    def _guard(self, if_version: str | None, if_absent: bool, now: float) -> dict[str, Any]:
        """Return the condition of a write."""
        values: dict[str, Any] = {":now": {"N": repr(now)}}
        if if_absent:
            condition, names = _ABSENT, {"#partition": self._partition, "#version": VERSION}
            values[":text"] = {"S": "S"}
        elif if_version is not None:
            if if_version == FOREIGN:
                raise Unsupported(
                    "the item was written by another program, so no version guards it: put it without one"
                )
            condition, names = _AT_VERSION, {"#version": VERSION}
            values[":version"] = {"S": if_version}
        else:
            return {}
        return {
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    # The contract.

    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        found = self.native().get_item(TableName=self._table, Key=self._key(partition, sort), ConsistentRead=True)
        attributes = found.get("Item")
        return None if attributes is None else self._read(attributes, now)

    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        found: dict[tuple[str, str], Item | None] = {}
        left = {self._table: {"Keys": [self._key(*key) for key in keys], "ConsistentRead": True}}
        while left:
            answer = self.native().batch_get_item(RequestItems=left)
            read = answer.get("Responses", {}).get(self._table, ())
            left = answer.get("UnprocessedKeys")
            if left and not read:
                raise Unavailable("the service is throttled: it read none of the items")
            for attributes in read:
                found[self._keys_of(attributes)] = self._read(attributes, now)
        return [found.get((partition, sort)) for partition, sort in keys]

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
        version = os.urandom(8).hex()
        request = {"TableName": self._table, "Item": self._written(partition, sort, value, expires, version)}
        if if_version is None and not if_absent:
            self.native().put_item(**request)
            return version
        request.update(self._guard(if_version, if_absent, now))
        try:
            self._put_guarded(request, version)
        except ClientError as error:
            error.of_create = if_absent  # type: ignore[attr-defined]  # for `classify` and `explain`
            raise
        return version

    def _put_guarded(self, request: dict[str, Any], version: str) -> None:
        """Put once; where the answer is lost once more, which is refused where the first put was done: by itself."""
        put = self.native().put_item
        try:
            put(**request)
        except Exception as error:
            if not self._in_doubt(error):
                raise
            doubt = error
        else:
            return
        try:
            put(**request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ClientError as error:
            if _errors.code_of(error) != _REFUSED:
                raise
            there: Any = error.response.get("Item", {})
            if there.get(VERSION) == {"S": version}:
                return
            # Somebody else's item, which may have come before the first put, or over it.
            raise doubt from None

    def _in_doubt(self, error: Exception) -> bool:
        """Say whether the write may have been done though *error* came of it, and asking again takes no long wait."""
        return self.classify(error) is Unavailable and not self.changed_nothing(error)

    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        self.native().delete_item(
            TableName=self._table, Key=self._key(partition, sort), **self._guard(if_version, False, now)
        )

    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        least, most = -_INT64 - min(by, 0), _INT64 - 1 - max(by, 0)
        values = {
            ":now": {"N": repr(now)},
            ":map": {"S": "M"},
            ":text": {"S": "S"},
            ":least": {"N": str(least)},
            ":most": {"N": str(most)},
        }
        add = self._adder(partition, sort, field, by)
        refused = add(_COUNTS, values)
        while not isinstance(refused, int):
            item = None if refused is None else self._read(refused, now)
            if item is None:
                try:
                    self.put(partition, sort, {field: by}, expires=None, if_version=None, if_absent=True, now=now)
                except ClientError as error:
                    if self.classify(error) is not AlreadyExists:
                        raise
                    refused = add(_COUNTS, values)
                    continue
                return by
            _check_sum(item, field, by)
            # Among floats the int is known by having been read, so the version stands for it.
            seen = {":now": values[":now"], ":version": {"S": item.version}}
            refused = add(_AT_VERSION, seen)
        return refused

    def _adder(
        self, partition: str, sort: str, field: str, by: int
    ) -> Callable[[str, Mapping[str, Any]], int | Attributes | None]:
        """Return what adds under a condition, and gives the sum, else the item that did not meet it, None for none."""

        def add(condition: str, values: Mapping[str, Any]) -> int | Attributes | None:
            try:
                done = self.native().update_item(
                    TableName=self._table,
                    Key=self._key(partition, sort),
                    UpdateExpression=_ADD,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#value": VALUE, "#version": VERSION, "#field": named(field)},
                    ExpressionAttributeValues={
                        **values,
                        ":zero": {"N": "0"},
                        ":by": {"N": str(by)},
                        ":new": {"S": os.urandom(8).hex()},
                    },
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if _errors.code_of(error) != _REFUSED:
                    raise
                return error.response.get("Item")  # type: ignore[return-value]  # what the stubs do not know of
            return int(portable(done["Attributes"][VALUE]["M"][named(field)]))

        return add

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        versions = [None if isinstance(operation, Delete) else os.urandom(8).hex() for operation in operations]
        request = {
            "TransactItems": [
                self._action(partition, operation, version, now)
                for operation, version in zip(operations, versions, strict=True)
            ],
            # With it a second request is answered as the first one was.
            "ClientRequestToken": os.urandom(16).hex(),
        }
        try:
            try:
                self.native().transact_write_items(**request)
            except Exception as error:
                if not self._in_doubt(error):
                    raise
                self.native().transact_write_items(**request)
        except ClientError as error:
            error.creates = [isinstance(each, Create) for each in operations]  # type: ignore[attr-defined]  # for `reasons`
            raise
        return versions

    def _action(
        self, partition: str, operation: Put | Create | Delete, version: str | None, now: float
    ) -> dict[str, Any]:
        """Return the operation as one of a transaction's."""
        if_version = None if isinstance(operation, Create) else operation.if_version
        guard = {"TableName": self._table, **self._guard(if_version, isinstance(operation, Create), now)}
        if isinstance(operation, Delete) or version is None:
            return {"Delete": {"Key": self._key(partition, operation.sort), **guard}}
        expires = None if operation.expires is None else operation.expires.timestamp()
        return {"Put": {"Item": self._written(partition, operation.sort, operation.value, expires, version), **guard}}

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
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True, "Limit": limit}
        names, values = {"#partition": self._partition}, {":partition": {"S": partition}}
        condition = "#partition = :partition"
        if self._sort:
            # One condition on the sort key is allowed, and the one with two ends includes both.
            if start and stop is not None:
                condition += " AND #sort BETWEEN :start AND :stop"
            elif start:
                condition += " AND #sort >= :start"
            elif stop is not None:
                condition += " AND #sort < :stop"
            if start:
                values[":start"] = {"S": start}
            if stop is not None:
                values[":stop"] = {"S": stop}
            if len(values) > 1:
                names["#sort"] = self._sort
            if after is not None:
                request["ExclusiveStartKey"] = self._key(partition, after)
        elif start or after is not None:
            return Page([])  # Its one item is at the empty sort key.
        answer = self.native().query(
            **request,
            ScanIndexForward=not reverse,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
        items = [item for item in self._items(answer, now) if item.sort != stop]
        last = answer.get("LastEvaluatedKey")
        cursor = None if last is None else self._keys_of(last)[1]
        return Page(items, None if cursor == stop and not reverse else cursor)

    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True, "Limit": limit}
        if segments > 1:
            request.update(Segment=segment, TotalSegments=segments)
        if cursor is not None:
            request["ExclusiveStartKey"] = self._key(*json.loads(cursor))
        answer = self.native().scan(**request)
        last = answer.get("LastEvaluatedKey")
        return Page(self._items(answer, now), None if last is None else json.dumps(self._keys_of(last)))

    def _items(self, answer: Mapping[str, Any], now: float) -> list[Item]:
        read = self._read
        return [item for attributes in answer["Items"] if (item := read(attributes, now)) is not None]


def _check_sum(item: Item, field: str, by: int) -> None:
    """Raise InvalidArgument where *by* cannot be added at *field*."""
    if type(item.value) is not dict or item.version == FOREIGN:
        what = "another program's" if item.version == FOREIGN else f"of type {type(item.value).__name__}, not a map"
        raise InvalidArgument(f"the item's value is {what}")
    before = item.value.get(field, 0)
    if type(before) is not int:
        raise InvalidArgument(f"field {field!r} is of type {type(before).__name__}, not int")
    if not -_INT64 <= before + by < _INT64:
        raise InvalidArgument(f"field {field!r} would be {before + by}, which is beyond 64 bits")


def _worst(reasons: Sequence[type[PortableError] | None]) -> type[PortableError]:
    """Return what a canceled transaction is: what would come again counts before what may pass."""
    found = {reason for reason in reasons if reason is not None}
    if found & {Conflict, AlreadyExists}:
        return Conflict
    return next((kind for kind in (LimitExceeded, InvalidArgument, Unavailable) if kind in found), PortableError)
