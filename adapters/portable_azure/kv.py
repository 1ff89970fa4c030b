"""Tables in Azure Table Storage, and in Cosmos DB by its Table endpoint.

An item is an entity, its ETag the version. The service expires nothing: an item that expired stays, hidden, until it is
written over or deleted; what says so in a version is ours. It reads forward only, and has no counters: `reverse` reads
all keys of the range, and `increment` writes under the ETag until it wins.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from random import uniform
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableTransactionError, UpdateMode

from portable_azure import _clients, _entities, _errors, _keys
from portable_azure._addresses import Place, place
from portable_azure._errors import Refused
from portable_azure.limits import AZTABLE
from portable_contracts.clients import Clients
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, PortableError, Unavailable
from portable_contracts.kv import Create, Delete, Item, KVDriver, Put
from portable_contracts.provider import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azure.data.tables import TableClient

    from portable_contracts.provider import Address, Opening

SIDE_BY_SIDE = 8
"""Entities of a batch that are read at once."""
LONGEST_FETCH = 1000
ATTEMPTS = 200
"""How often an increment, or a transaction that meets expired items, is tried before others have won too often."""

_ETAG = re.compile(r"[ -!#-~]*\"[ -!#-~]+\"").fullmatch
_MISSING = ("ResourceNotFound", "EntityNotFound")
_BEHIND = "\uf8ff"
"""Behind every unit of a stored key."""

_tables: Clients[TableClient] = Clients()


class RefusedTransaction(Refused):
    """A transaction of which one operation may not be done."""

    def __init__(self, reasons: Sequence[type[PortableError] | None], operation: Put | Create | Delete) -> None:
        reason = next(reason for reason in reasons if reason is not None)
        what = f"{type(operation).__name__} {operation.sort!r} ({reason.__name__})"
        super().__init__(Conflict, f"nothing was done, because of {what}")
        self.reasons = reasons


class AzureTable(KVDriver):
    """A table."""

    scheme = "aztable"
    capabilities = AZTABLE

    def __init__(self, place: Place) -> None:
        self._place = place
        self._key = repr(place)

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> AzureTable:
        return cls(place(address))

    def classify(self, error: Exception) -> type[PortableError]:
        return _errors.classify(error)

    def explain(self, error: Exception) -> str:
        return _errors.explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return _errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return getattr(error, "before_writing", False) or _errors.changed_nothing(error)

    def reasons(self, error: Exception) -> Sequence[type[PortableError] | None]:
        return error.reasons if isinstance(error, RefusedTransaction) else ()

    def native(self) -> TableClient:
        return _tables.get(self._key, self._make)

    def _make(self) -> TableClient:
        client: TableClient = _clients.client("table", self._place).get_table_client(self._place.name)
        return client

    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        entity = self._entity(partition, sort)
        return None if entity is None or _is_expired(entity, now) else _item(partition, sort, entity)

    def _entity(self, partition: str, sort: str) -> Any:
        try:
            return self.native().get_entity(_keys.stored(partition), _keys.stored(sort))
        except HttpResponseError as error:
            if _errors.code_of(error) in _MISSING:
                return None
            raise

    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        # The first one alone: it tells whether the service answers, and may be asked, at all.
        found = {keys[0]: self.get(*keys[0], now=now)}
        left = list(keys[1:])
        while left:
            failed: dict[tuple[str, str], Exception] = {}

            def read(key: tuple[str, str], failed: dict[tuple[str, str], Exception] = failed) -> None:
                try:
                    found[key] = self.get(*key, now=now)
                except Exception as caught:
                    failed[key] = caught

            with ThreadPoolExecutor(min(SIDE_BY_SIDE, len(left))) as pool:
                list(pool.map(read, left))
            for error in failed.values():
                if len(failed) == len(left) or not self.classify(error).retryable:
                    raise error
            left = list(failed)  # Others came through: these may at the next go.
        return [found[key] for key in keys]

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
        entity = _made(partition, sort, value, expires)
        if if_absent:
            etag = self._create(partition, sort, entity, now)
        elif if_version is not None:
            etag = self._replace(entity, _etag(if_version, now))
        else:
            etag = self.native().upsert_entity(entity, **_WHOLE)["etag"]
        return _version(etag, expires)

    def _create(self, partition: str, sort: str, entity: Mapping[str, Any], now: float) -> str:
        """Insert *entity*, or write it over one that expired."""
        for _ in range(ATTEMPTS):
            try:
                etag: str = self.native().create_entity(entity)["etag"]
                return etag
            except HttpResponseError as error:
                if _errors.code_of(error) != "EntityAlreadyExists":
                    raise
                there = self._entity(partition, sort)
                if there is None:
                    continue
                if not _is_expired(there, now):
                    raise
            try:
                return self._replace(entity, there.metadata["etag"])
            except Refused:
                continue
        raise Refused(Unavailable, "others wrote and deleted the item all the while")

    def _replace(self, entity: Mapping[str, Any], etag: str) -> str:
        """Write *entity* over the one with *etag*. Raises Refused with Conflict where something else is there."""
        try:
            written = self.native().update_entity(entity, **_WHOLE, **_guard(etag))
        except HttpResponseError as error:
            raise _refusal(error) from error
        replaced: str = written["etag"]
        return replaced

    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        entity = {"PartitionKey": _keys.stored(partition), "RowKey": _keys.stored(sort)}
        guard = {} if if_version is None else _guard(_etag(if_version, now))
        try:
            self._delete(entity, guard)
        except HttpResponseError as error:
            if if_version is not None:
                raise _refusal(error) from error
            if _errors.code_of(error) not in _MISSING:
                raise

    def _delete(self, entity: Mapping[str, Any], guard: Mapping[str, Any]) -> None:
        answers: list[Any] = []
        self.native().delete_entity(entity, raw_response_hook=answers.append, **guard)
        answer = answers[-1].http_response
        if answer.status_code == 404:  # The SDK says nothing then, whatever is missing and whatever the guard.
            raise HttpResponseError(response=answer)

    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        for defeats in range(ATTEMPTS):
            if defeats:
                time.sleep(uniform(0, min(0.2, 0.002 * 2 ** min(defeats, 10))))  # noqa: S311  # jitter, not a secret
            try:
                there = self._entity(partition, sort)
            except AzureError as error:
                error.before_writing = True  # type: ignore[attr-defined]  # for changed_nothing
                raise
            alive = None if there is None or _is_expired(there, now) else there
            value = {} if alive is None else _entities.value_of(alive)
            total = _sum(value, field, by)
            entity = _made(partition, sort, {**value, field: total}, None if alive is None else _expires(alive))
            try:
                if there is None:
                    self.native().create_entity(entity)
                else:
                    self._replace(entity, there.metadata["etag"])
            except Refused:
                continue
            except HttpResponseError as error:
                if _errors.code_of(error) != "EntityAlreadyExists":
                    raise
                continue
            return total
        raise Refused(Unavailable, f"others wrote the item {ATTEMPTS} times meanwhile")

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
        if reverse:
            return self._last(partition, start, stop if after is None else after, limit, now)
        lower, upper = _bounds(start if after is None else after, stop)
        entities, more = self._fetch(_range(partition, lower, upper, "ge" if after is None else "gt"), limit)
        exact = stop is None or len(stop) < _keys.LONGEST // 4
        items: list[Item] = []
        sort = ""
        for entity in entities:
            sort = _keys.restored(entity["RowKey"])
            if (exact or _holds(sort, start, stop)) and not _is_expired(entity, now):
                items.append(_item(partition, sort, entity))
        return Page(items, sort if more else None)

    def _last(self, partition: str, start: str | None, stop: str | None, limit: int, now: float) -> Page[Item]:
        """Return the last *limit* items from *start* up to *stop*, the last one first."""
        lower, upper = _bounds(start, stop)
        kept: deque[str] = deque(maxlen=limit + 1)
        client = self.native()
        chosen = client.query_entities(
            _range(partition, lower, upper), select=["RowKey"], results_per_page=LONGEST_FETCH
        )
        for entity in chosen:
            if _holds(_keys.restored(entity["RowKey"]), start, stop):
                kept.append(entity["RowKey"])
        more = len(kept) > limit
        if more:
            kept.popleft()
        if not kept:
            return Page(())
        found = client.query_entities(_range(partition, kept[0], upper), results_per_page=LONGEST_FETCH)
        keys = set(kept)  # What was written since the keys were read is left to another query.
        items = [
            _item(partition, _keys.restored(entity["RowKey"]), entity)
            for entity in found
            if entity["RowKey"] in keys and not _is_expired(entity, now)
        ]
        return Page(items[::-1], _keys.restored(kept[0]) if more else None)

    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        pages: Any = self.native().list_entities(results_per_page=limit).by_page(json.loads(cursor) if cursor else None)
        entities = list(next(pages, ()))
        items = [
            _item(_keys.restored(entity["PartitionKey"]), _keys.restored(entity["RowKey"]), entity)
            for entity in entities
            if not _is_expired(entity, now)
        ]
        following = pages.continuation_token
        return Page(items, json.dumps(following) if following else None)

    def _fetch(self, query: str, limit: int) -> tuple[list[Any], bool]:
        """Return the first entities that *query* finds, at least one if there is any, and whether there may be more."""
        pages: Any = self.native().query_entities(query, results_per_page=min(limit, LONGEST_FETCH)).by_page()
        for page in pages:  # The service may give pages of nothing before it comes to something.
            entities = list(page)
            if entities:
                return entities, bool(pages.continuation_token)
        return [], False

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        steps = [self._step(partition, operation, operations, now) for operation in operations]
        for _ in range(ATTEMPTS):
            try:
                answers = self.native().submit_transaction(steps)
            except TableTransactionError as error:
                index = error.index
                steps[index] = self._other_step(partition, operations, index, steps[index], error, now)
                continue
            for step, operation, answer in zip(steps, operations, answers, strict=True):
                if isinstance(operation, Delete) and step[0] == "create":
                    self._sweep(step[1], answer["etag"])
            return [
                None if isinstance(operation, Delete) else _version(answer["etag"], step[1].get("expires"))
                for step, operation, answer in zip(steps, operations, answers, strict=True)
            ]
        raise Refused(Unavailable, "others wrote and deleted the items all the while")

    def _step(
        self, partition: str, operation: Put | Create | Delete, operations: Sequence[Put | Create | Delete], now: float
    ) -> Any:
        """Return *operation* as the SDK takes it."""
        if isinstance(operation, Delete):
            entity = {"PartitionKey": _keys.stored(partition), "RowKey": _keys.stored(operation.sort)}
        else:
            expires = None if operation.expires is None else operation.expires.timestamp()
            entity = _made(partition, operation.sort, operation.value, expires)
        if isinstance(operation, Create):
            return "create", entity
        if operation.if_version is None:
            return ("delete", entity) if isinstance(operation, Delete) else ("upsert", entity, _WHOLE)
        try:
            guard = _guard(_etag(operation.if_version, now))
        except Refused as refused:
            raise _refused(operations, operations.index(operation), refused.kind) from None
        return ("delete", entity, guard) if isinstance(operation, Delete) else ("update", entity, {**_WHOLE, **guard})

    def _other_step(
        self,
        partition: str,
        operations: Sequence[Put | Create | Delete],
        index: int,
        step: Any,
        error: TableTransactionError,
        now: float,
    ) -> Any:
        """Return what does, in the place of *step*, what was asked for; or raise why nothing does."""
        operation = operations[index]
        code, kind = _errors.code_of(error), _errors.classify(error)
        if kind not in (Conflict, AlreadyExists) and code not in _MISSING:
            raise error
        if isinstance(operation, Delete) and operation.if_version is None:
            # To delete what is missing is an error here, and there is no other way to say that it has to be missing
            # still when the rest is done: so an item is made that expired long ago.
            if step[0] == "delete":
                return "create", {**step[1], "expires": 0.0}
            return "delete", {name: value for name, value in step[1].items() if name != "expires"}
        if isinstance(operation, Create):
            there = self._entity(partition, operation.sort)
            if there is None:
                return "create", step[1]
            if _is_expired(there, now):
                return "update", step[1], {**_WHOLE, **_guard(there.metadata["etag"])}
            raise _refused(operations, index, AlreadyExists) from error
        raise _refused(operations, index, Conflict) from error

    def _sweep(self, entity: Mapping[str, Any], etag: str) -> None:
        try:
            self._delete(entity, _guard(etag))
        except AzureError:  # What was asked for is done, and nobody sees what is left.
            pass


_WHOLE: Mapping[str, Any] = {"mode": UpdateMode.REPLACE}


def _guard(etag: str) -> Mapping[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _refused(operations: Sequence[Put | Create | Delete], index: int, kind: type[PortableError]) -> RefusedTransaction:
    """Refuse the transaction for one operation: the service names the first alone."""
    return RefusedTransaction([kind if place == index else None for place in range(len(operations))], operations[index])


def _refusal(error: HttpResponseError) -> Exception:
    """Return what to raise for *error* of a guarded write: a Conflict, too, where the item is gone."""
    if _errors.code_of(error) in _MISSING or _errors.classify(error) is Conflict:
        return Refused(Conflict, "the item is not at that version")
    return error


def _version(etag: str, expires: float | None) -> str:
    """Return the version of what was written: with when it expires, since a guard on what expired does not hold."""
    return etag if expires is None else f"{expires!r} {etag}"


def _etag(version: str, now: float) -> str:
    """Return the ETag of *version*. Raises Refused for one that expired or never was."""
    moment, separator, etag = version.partition(" ")
    if not separator:
        moment, etag = "inf", version
    try:
        if float(moment) > now and _ETAG(etag):
            return etag
    except ValueError:
        pass
    raise Refused(Conflict, "the item is not at that version")


def _made(partition: str, sort: str, value: Any, expires: float | None) -> dict[str, Any]:
    entity = {"PartitionKey": _keys.stored(partition), "RowKey": _keys.stored(sort), **_entities.properties(value)}
    if expires is not None:
        entity["expires"] = float(expires)
    return entity


def _item(partition: str, sort: str, entity: Any) -> Item:
    etag, value = entity.metadata["etag"], _entities.value_of(entity)
    expires = _expires(entity)
    if expires is None:
        return Item(partition, sort, value, etag)
    return Item(partition, sort, value, _version(etag, expires), datetime.fromtimestamp(expires, timezone.utc))


def _expires(entity: Mapping[str, Any]) -> float | None:
    found = entity.get("expires")
    return found if isinstance(found, float) else None


def _is_expired(entity: Mapping[str, Any], now: float) -> bool:
    expires = _expires(entity)
    return expires is not None and expires <= now


def _sum(value: Any, field: str, by: int) -> int:
    if type(value) is not dict:
        raise Refused(InvalidArgument, f"the item's value is of type {type(value).__name__}, not a map")
    before = value.get(field, 0)
    if type(before) is not int:
        raise Refused(InvalidArgument, f"field {field!r} is of type {type(before).__name__}, not int")
    total: int = before + by
    if not -(1 << 63) <= total < 1 << 63:
        raise Refused(InvalidArgument, f"field {field!r} would be {total}, which is beyond 64 bits")
    return total


def _bounds(start: str | None, stop: str | None) -> tuple[str | None, str | None]:
    """Return stored keys between which all from *start* up to *stop* are; some others may be."""
    lower = None if start is None else _keys.stored(_cut(start))
    if stop is None or len(stop.encode()) <= _keys.LONGEST:
        return lower, None if stop is None else _keys.stored(stop)
    return lower, _keys.stored(_cut(stop)) + _BEHIND


def _cut(bound: str) -> str:
    """Return the beginning of *bound* that is a key: one behind a prefix may be longer than keys are."""
    return bound.encode()[: _keys.LONGEST].decode(errors="ignore")


def _holds(sort: str, start: str | None, stop: str | None) -> bool:
    return (start is None or sort >= start) and (stop is None or sort < stop)


def _range(partition: str, lower: str | None, upper: str | None, from_lower: str = "ge") -> str:
    """Return the query for the entities of the partition between stored keys."""
    query = f"PartitionKey eq {_quoted(_keys.stored(partition))}"
    if lower is not None:
        query += f" and RowKey {from_lower} {_quoted(lower)}"
    if upper is not None:
        query += f" and RowKey lt {_quoted(upper)}"
    return query


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
