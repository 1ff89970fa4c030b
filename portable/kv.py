"""Table: items under a partition key and an optional sort key, read with strong consistency.

    entries.put("welcome", "2026-11-20", {"name": "Ada"})
    for item in entries.query("welcome", prefix="2026-"):
        print(item.sort, item.value)

A value is None, bool, int, float, str, bytes, list or dict, nested; it comes back equal, by type too. Keys are text
without control characters. An item that expired is not there, for any operation.
"""

from __future__ import annotations

import time

from portable._cursor import seal, unseal
from portable._driving import call, invocation
from portable._table_arguments import INT64, TableArguments
from portable_contracts.errors import AlreadyExists, Conflict, NotFound
from portable_contracts.kv import Create, Delete, Item, Put
from portable_contracts.provider import Address, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime, timedelta
    from typing import Any, TypeVar

    from portable_contracts.provider import Opening

    T = TypeVar("T")

FETCHED_AT_ONCE = 256
"""Items that an iterator asks its driver for at once."""
LONGEST_WAIT = 1.0
"""Seconds that `update` waits at most before it tries again."""

_RAISE: Any = object()


class Table(TableArguments):
    """A table of items."""

    @classmethod
    def at(cls, address: str, *, opening: Opening | None = None) -> Table:
        """Open the table at *address* on its own, without an app. Raises InvalidArgument for a wrong address."""
        from portable.connecting import open_address

        parsed = Address.parse(address)
        connection = open_address("table", address, opening)
        return cls(parsed.parameters.get("name") or parsed.name or address, lambda: connection)

    def get(self, partition: str, sort: str = "", default: T = _RAISE) -> Item | T:
        """Return the item, or *default* where there is none. Raises NotFound where no default is given either."""
        connection = self._check("get", partition, sort)
        what = _place(partition, sort)
        item: Item | None = call(
            self, "get", what, True, connection.driver.get, partition, sort, now=connection.clock()
        )
        if item is not None:
            return item
        if default is _RAISE:
            raise NotFound(f"get {what} in {self}: there is no such item", operation="get", resource=str(self))
        return default

    def get_many(self, keys: Iterable[tuple[str, str]]) -> list[Item | None]:
        """Return the items at *keys*, pairs of partition and sort key, in their order; None for one that is missing.

        The items are read in batches: together they are no snapshot of one moment.
        """
        pairs: list[tuple[str, str]] = []
        for key in keys:
            # Two letters of a str would be a pair too.
            if not isinstance(key, (tuple, list)) or len(key) != 2:
                raise self._invalid("get_many", f"{key!r} is not a pair of partition and sort key")
            self._check("get_many", *key)
            pairs.append((key[0], key[1]))
        connection = self._connection
        driver, size = connection.driver, connection.capabilities.max_get_batch
        unique = list(dict.fromkeys(pairs))
        found: dict[tuple[str, str], Item | None] = {}
        for begin in range(0, len(unique), size):
            batch = unique[begin : begin + size]
            items = call(self, "get_many", "", True, driver.get_batch, batch, now=connection.clock())
            found.update(zip(batch, items, strict=True))
        return [found[pair] for pair in pairs]

    def put(
        self,
        partition: str,
        sort: str,
        value: Any,
        *,
        if_version: str | None = None,
        expires: datetime | timedelta | None = None,
    ) -> Item:
        """Write the item, over what is there, and return it. *expires* is a moment (aware) or a time from now.

        With *if_version* it is written only over that version: raises Conflict over another one, or where there is no
        item.
        """
        if if_version is not None:
            self._check_version("put", if_version)
        return self._write("put", partition, sort, value, expires, if_version, False)

    def create(self, partition: str, sort: str, value: Any, *, expires: datetime | timedelta | None = None) -> Item:
        """Write the item where there is none, and return it. Raises AlreadyExists where there is one.

        After Unavailable or Timeout it may have been written all the same: it is not tried twice.
        """
        return self._write("create", partition, sort, value, expires, None, True)

    def delete(self, partition: str, sort: str = "", *, if_version: str | None = None) -> None:
        """Delete the item; a missing one is no error.

        With *if_version* it is deleted only at that version: raises Conflict at another one, or where there is no item.
        """
        connection = self._check("delete", partition, sort)
        if if_version is not None:
            self._check_version("delete", if_version)
        call(
            self,
            "delete",
            _place(partition, sort),
            if_version is None,
            connection.driver.delete,
            partition,
            sort,
            if_version=if_version,
            now=connection.clock(),
        )

    def update(self, partition: str, sort: str, fn: Callable[[Any], Any]) -> Item:
        """Replace the item's value by what *fn* returns for it, and return the item; its expiry stays.

        *fn* gets None where there is no item. What it returns is the new value, None too: one that changes a map in
        place must return it. When somebody else wrote meanwhile *fn* is called again with the newer value, until the
        write wins: Conflict or AlreadyExists is raised only at the deadline of the invocation.
        """
        connection = self._check("update", partition, sort)
        driver, what = connection.driver, _place(partition, sort)
        defeats = 0
        while True:
            now = connection.clock()
            old: Item | None = call(self, "update", what, True, driver.get, partition, sort, now=now)
            value = fn(None if old is None else old.value)
            self._measure("update", value, connection)
            expires = None if old is None else old.expires
            try:
                version: str = call(
                    self,
                    "update",
                    what,
                    False,
                    driver.put,
                    partition,
                    sort,
                    value,
                    expires=None if expires is None else expires.timestamp(),
                    if_version=None if old is None else old.version,
                    if_absent=old is None,
                    now=now,
                )
            except (Conflict, AlreadyExists):
                defeats += 1
                wait = _wait_after(defeats)
                if time.time() + wait >= invocation.get().expires:
                    raise
                time.sleep(wait)
            else:
                return Item(partition, sort, value, version, expires)

    def increment(self, partition: str, sort: str, field: str, by: int = 1) -> int:
        """Add *by* to the int at *field* of the item's map, in one step whoever else does, and return the sum.

        A missing item or field counts as 0 and is made; the item's expiry stays. Raises InvalidArgument where the value
        is no map, the field no int, or the sum beyond 64 bits. After Unavailable or Timeout it may have been added all
        the same: it is not tried twice.
        """
        connection = self._check("increment", partition, sort)
        if type(field) is not str:
            raise self._invalid("increment", f"the field is {field!r}: fields are str")
        if type(by) is not int or not -INT64 <= by < INT64:
            raise self._invalid("increment", f"by={by!r}: pass an int of 64 bits")
        self._measure("increment", {field: by}, connection)
        what = _place(partition, sort)
        total: int = call(
            self,
            "increment",
            what,
            False,
            connection.driver.increment,
            partition,
            sort,
            field,
            by,
            now=connection.clock(),
        )
        return total

    def query(
        self,
        partition: str,
        *,
        prefix: str = "",
        start: str | None = None,
        stop: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[Item]:
        """Iterate over the partition's items in the UTF-8 byte order of their sort keys, or *reverse*.

        Only those whose sort key begins with *prefix*, is at or after *start*, and is before *stop*; *limit* of them at
        most. They are fetched in pages while you iterate, so an item written meanwhile may or may not be among them.
        """
        bounds = self._bounds("query", partition, prefix, start, stop)
        if limit is not None:
            self._check_count("query", "limit", limit)
        return iter(()) if bounds is None else self._query(partition, *bounds, reverse, limit)

    def page(
        self,
        partition: str,
        *,
        prefix: str = "",
        start: str | None = None,
        stop: str | None = None,
        reverse: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Item]:
        """Return the next *limit* items of what `query` gives, and the cursor of the page after them, None at the end.

        A cursor is URL-safe text; it is good in another process, for the same query only. Raises InvalidArgument for
        one of another query.
        """
        bounds = self._bounds("page", partition, prefix, start, stop)
        self._check_count("page", "limit", limit)
        connection = self._connection
        if limit > connection.capabilities.max_page:
            raise self._limit("max_page", limit, "the limit", "page")
        identity = (self.kind, self.name, partition, prefix, start, stop, bool(reverse))
        after = None if cursor is None else unseal(cursor, identity)
        items: list[Item] = []
        while bounds is not None:
            page = self._query_page("page", partition, *bounds, after, reverse, limit - len(items))
            items += page.items
            after = page.cursor
            if after is None:
                break
            if len(items) == limit:
                return Page(items, seal(after, identity))
        return Page(items)

    def transact(self, partition: str, operations: Iterable[Put | Create | Delete]) -> list[Item | None]:
        """Do all of *operations*, on different items of one partition, or none; return the items, None for a Delete.

        Raises Conflict where one is refused: `error.reasons` has, per operation, why it was, or None. After Unavailable
        or Timeout they may have been done all the same: they are not tried twice. Raises Unsupported where the service
        has no transactions.
        """
        self._require("transactions", "transact")
        connection = self._connection
        now = connection.clock()
        checked = [self._checked(partition, operation, now) for operation in operations]
        if len(checked) > connection.capabilities.max_transaction:
            raise self._limit("max_transaction", len(checked), "the number of operations", "transact")
        sorts = [operation.sort for operation in checked]
        if len(set(sorts)) != len(sorts):
            twice = next(sort for sort in sorts if sorts.count(sort) > 1)
            raise self._invalid("transact", f"there are two operations on {_place(partition, twice)}")
        if not checked:
            return []
        versions: Sequence[str | None] = call(
            self, "transact", _place(partition, ""), False, connection.driver.transact, partition, checked, now=now
        )
        return [
            None
            if isinstance(operation, Delete) or version is None
            else Item(partition, operation.sort, operation.value, version, operation.expires)
            for operation, version in zip(checked, versions, strict=True)
        ]

    def scan(self, *, segment: int = 0, segments: int = 1) -> Iterator[Item]:
        """Iterate over all items of the table, in no order; or over one of *segments* parts, to read them side by side.

        Raises Unsupported for several segments where the service cannot split a scan.
        """
        self._check_count("scan", "segments", segments)
        if type(segment) is not int or not 0 <= segment < segments:
            raise self._invalid("scan", f"segment={segment!r}: pass an int from 0 to {segments - 1}")
        if segments > 1:
            self._require("scan_segments", "scan")
        return self._scan(segment, segments)

    def _scan(self, segment: int, segments: int) -> Iterator[Item]:
        connection = self._connection
        cursor = None
        while True:
            page: Page[Item] = call(
                self,
                "scan",
                "",
                True,
                connection.driver.scan_page,
                segment=segment,
                segments=segments,
                cursor=cursor,
                limit=min(FETCHED_AT_ONCE, connection.capabilities.max_page),
                now=connection.clock(),
            )
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def _query(
        self, partition: str, start: str | None, stop: str | None, reverse: bool, limit: int | None
    ) -> Iterator[Item]:
        after = None
        while limit is None or limit > 0:
            size = FETCHED_AT_ONCE if limit is None else min(FETCHED_AT_ONCE, limit)
            page = self._query_page("query", partition, start, stop, after, reverse, size)
            yield from page.items
            after = page.cursor
            if after is None:
                return
            if limit is not None:
                limit -= len(page.items)

    def _query_page(
        self,
        operation: str,
        partition: str,
        start: str | None,
        stop: str | None,
        after: str | None,
        reverse: bool,
        limit: int,
    ) -> Page[Item]:
        connection = self._connection
        page: Page[Item] = call(
            self,
            operation,
            _place(partition, ""),
            True,
            connection.driver.query_page,
            partition,
            start=start,
            stop=stop,
            after=after,
            reverse=bool(reverse),
            limit=min(limit, connection.capabilities.max_page),
            now=connection.clock(),
        )
        return page

    def _write(
        self,
        operation: str,
        partition: str,
        sort: str,
        value: Any,
        expires: datetime | timedelta | None,
        if_version: str | None,
        if_absent: bool,
    ) -> Item:
        connection = self._check(operation, partition, sort)
        self._measure(operation, value, connection)
        now = connection.clock()
        moment = None if expires is None else self._moment(operation, expires, now)
        version: str = call(
            self,
            operation,
            _place(partition, sort),
            not if_absent and if_version is None,
            connection.driver.put,
            partition,
            sort,
            value,
            expires=None if moment is None else moment.timestamp(),
            if_version=if_version,
            if_absent=if_absent,
            now=now,
        )
        return Item(partition, sort, value, version, moment)


def _place(partition: str, sort: str) -> str:
    return f"{partition!r}, {sort!r}" if sort else repr(partition)


def _wait_after(defeats: int) -> float:
    if defeats == 1:
        return 0.0
    from random import uniform  # 3 ms, for a path that is rarely taken

    return uniform(0.0, min(LONGEST_WAIT, 0.001 * 2**defeats))  # noqa: S311  # jitter, not a secret
