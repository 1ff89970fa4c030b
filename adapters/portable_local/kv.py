"""Tables in a SQLite file: one SQLite table each, its values readable in the sqlite3 shell."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, PortableError
from portable_contracts.kv import Create, Delete, Item, KVDriver, Put
from portable_contracts.provider import Page
from portable_local import _table_sql as sql
from portable_local._addresses import sqlite_place, synchronous
from portable_local._changes import KEPT_SECONDS, TableFeed
from portable_local._json import dump, load
from portable_local._sqlite import Database, classify_sqlite
from portable_local.limits import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_contracts.provider import Address, Opening

FILE = "tables.db"
PAGE_CHARACTERS = 1 << 20
"""A page of items ends past this much JSON, so that a listing of large items needs little memory."""
SWEEP_SECONDS = 60.0
"""How often a process that writes removes expired items."""
SWEPT_AT_ONCE = 500

_INT64 = 1 << 63


class Refused(Exception):
    """An item's state did not allow the operation."""

    def __init__(self, kind: type[PortableError], why: str, reasons: Sequence[type[PortableError] | None] = ()) -> None:
        super().__init__(why)
        self.kind = kind
        self.reasons = reasons


class SqliteTable(KVDriver):
    """One table of a SQLite file, for any number of threads and processes."""

    scheme = "sqlite"
    capabilities = TABLE

    def __init__(self, database: Database, table: str, name: str) -> None:
        self._database = database
        self._table = table
        self._name = name
        self._sweep_at = 0.0
        self._get = sql.GET.format(table=table)
        self._put = sql.PUT.format(table=table)
        self._put_absent = sql.PUT_ABSENT.format(table=table)
        self._put_version = sql.PUT_VERSION.format(table=table)
        self._delete = sql.DELETE.format(table=table)
        self._delete_version = sql.DELETE_VERSION.format(table=table)
        self._scan = sql.SCAN.format(table=table)

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> SqliteTable:
        path, name, parameters = sqlite_place(address, opening, FILE)
        # SQLite's names know no case: "^" before a letter, which no name has, stands for it.
        table = "table_" + "".join(f"^{letter.lower()}" if letter.isupper() else letter for letter in name)
        database = Database(
            path,
            synchronous=synchronous(address, parameters),
            owner=table,
            scripts=[sql.SCHEMA.format(table=table)],
        )
        return cls(database, table, name)

    def classify(self, error: Exception) -> type[PortableError]:
        return error.kind if isinstance(error, Refused) else classify_sqlite(error)

    def explain(self, error: Exception) -> str:
        return str(error) if isinstance(error, Refused) else self._database.explain(error)

    def reasons(self, error: Exception) -> Sequence[type[PortableError] | None]:
        return error.reasons if isinstance(error, Refused) else ()

    def native(self) -> sqlite3.Connection:
        return self._database.connection()

    def close(self) -> None:
        self._database.close()

    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        row = self._database.connection().execute(self._get, (partition, sort)).fetchone()
        if row is None:
            return None
        value, version, expires = row
        if expires is None:
            return Item(partition, sort, load(value), version)
        if expires <= now:
            return None
        return Item(partition, sort, load(value), version, datetime.fromtimestamp(expires, timezone.utc))

    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        return [self.get(partition, sort, now=now) for partition, sort in keys]

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
        connection = self._database.connection()
        version = self._write(connection, partition, sort, value, expires, if_version, if_absent, now)
        if now >= self._sweep_at:
            self._sweep(now)
        return version

    def _write(
        self,
        connection: sqlite3.Connection,
        partition: str,
        sort: str,
        value: Any,
        expires: float | None,
        if_version: str | None,
        if_absent: bool,
        now: float,
    ) -> str:
        version = os.urandom(8).hex()
        row = (dump(value), version, expires, now, partition, sort)
        if if_version is not None:
            if not connection.execute(self._put_version, (*row, if_version, now)).rowcount:
                raise Refused(Conflict, f"the item is not at version {if_version!r}")
        elif if_absent:
            if not connection.execute(self._put_absent, row).rowcount:
                raise Refused(AlreadyExists, "there is an item already")
        else:
            connection.execute(self._put, row)
        return version

    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        self._remove(self._database.connection(), partition, sort, if_version, now)

    def _remove(
        self, connection: sqlite3.Connection, partition: str, sort: str, if_version: str | None, now: float
    ) -> None:
        if if_version is None:
            connection.execute(self._delete, (now, partition, sort))
        elif not connection.execute(self._delete_version, (now, partition, sort, if_version, now)).rowcount:
            raise Refused(Conflict, f"the item is not at version {if_version!r}")

    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        with self._database.write() as connection:
            value: Any = {}
            expires = None
            row = connection.execute(self._get, (partition, sort)).fetchone()
            if row is not None and (row[2] is None or row[2] > now):
                value, expires = load(row[0]), row[2]
            if type(value) is not dict:
                raise Refused(InvalidArgument, f"the item's value is of type {type(value).__name__}, not a map")
            before = value.get(field, 0)
            if type(before) is not int:
                raise Refused(InvalidArgument, f"field {field!r} is of type {type(before).__name__}, not int")
            total = before + by
            if not -_INT64 <= total < _INT64:
                raise Refused(InvalidArgument, f"field {field!r} would be {total}, which is beyond 64 bits")
            value[field] = total
            self._write(connection, partition, sort, value, expires, None, False, now)
        if now >= self._sweep_at:
            self._sweep(now)
        return total

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        versions: list[str | None] = []
        reasons: list[type[PortableError] | None] = []
        with self._database.write() as connection:
            for operation in operations:
                try:
                    versions.append(self._do(connection, partition, operation, now))
                    reasons.append(None)
                except Refused as refused:
                    reasons.append(refused.kind)
            if any(reasons):
                refusals = ", ".join(
                    f"{type(operation).__name__} {operation.sort!r} ({reason.__name__})"
                    for operation, reason in zip(operations, reasons, strict=True)
                    if reason is not None
                )
                raise Refused(Conflict, f"nothing was done, because of {refusals}", reasons)
        if now >= self._sweep_at:
            self._sweep(now)
        return versions

    def _do(
        self, connection: sqlite3.Connection, partition: str, operation: Put | Create | Delete, now: float
    ) -> str | None:
        if isinstance(operation, Delete):
            self._remove(connection, partition, operation.sort, operation.if_version, now)
            return None
        expires = None if operation.expires is None else operation.expires.timestamp()
        if isinstance(operation, Create):
            return self._write(connection, partition, operation.sort, operation.value, expires, None, True, now)
        return self._write(
            connection, partition, operation.sort, operation.value, expires, operation.if_version, False, now
        )

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
        # One bound on each side: of two SQLite seeks one and reads all up to the other.
        lower, upper = (">=", start), ("<", stop)
        if after is not None and reverse:
            upper = ("<", after)
        elif after is not None:
            lower = (">", after)
        bounds = [(operator, bound) for operator, bound in (lower, upper) if bound is not None]
        statement = sql.QUERY.format(
            table=self._table,
            bounds="".join(f" AND sort {operator} ?" for operator, _ in bounds),
            order="DESC" if reverse else "ASC",
        )
        rows, more = self._rows(statement, (now, partition, *(bound for _, bound in bounds), limit + 1), limit)
        return Page([_item(row) for row in rows], rows[-1][2] if more else None)

    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        rows, more = self._rows(self._scan, (now, int(cursor or 0), segments, segment, limit + 1), limit)
        return Page([_item(row) for row in rows], str(rows[-1][0]) if more else None)

    def _rows(self, statement: str, parameters: Sequence[object], limit: int) -> tuple[list[Any], bool]:
        """Return up to *limit* rows, and whether there are more."""
        rows: list[Any] = []
        characters = 0
        cursor = self._database.connection().execute(statement, parameters)
        for row in cursor:
            if len(rows) == limit or characters > PAGE_CHARACTERS:
                cursor.close()  # Until then it holds a snapshot of the file.
                return rows, True
            rows.append(row)
            characters += len(row[3])
        return rows, False

    def feed(self, consumer: str) -> TableFeed:
        return TableFeed(self._database, self._table, self._name, consumer)

    def _sweep(self, now: float) -> None:
        self._sweep_at = now + SWEEP_SECONDS
        connection = self._database.connection()
        try:
            swept = connection.execute(sql.SWEEP.format(table=self._table), (now, now, SWEPT_AT_ONCE)).rowcount
            connection.execute(sql.SWEEP_CHANGES.format(table=self._table), (SWEPT_AT_ONCE, now - KEPT_SECONDS))
        except sqlite3.Error:  # What was asked for is done; the next sweep may do better.
            return
        if swept == SWEPT_AT_ONCE:
            self._sweep_at = now


def _item(row: Any) -> Item:
    _, partition, sort, value, version, expires = row
    moment = None if expires is None else datetime.fromtimestamp(expires, timezone.utc)
    return Item(partition, sort, load(value), version, moment)
