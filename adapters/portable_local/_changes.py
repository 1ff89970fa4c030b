"""The changes of one table, recorded by triggers in the transaction of each write, from the first consumer on."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from portable_contracts.events import Change, Feed
from portable_local import _table_sql as sql
from portable_local._json import load
from portable_local._sqlite import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_local._sqlite import Database

KEPT_SECONDS = 7 * 24 * 3600
"""A consumer that stays away for longer misses changes: one that never comes back must not fill the disk."""


class TableFeed(Feed[Change]):
    """The changes of *table*, which is called *name* in its address, for one consumer."""

    def __init__(self, database: Database, table: str, name: str, consumer: str) -> None:
        self._database = database
        self._name = name
        self._consumer = consumer
        self._read = sql.READ.format(table=table)
        self._move = sql.MOVE.format(table=table)
        self._trim = sql.TRIM.format(table=table)
        if database.connection().execute(sql.PLACE.format(table=table), (consumer,)).fetchone() is None:
            with database.write() as connection:
                for statement in statements(sql.RECORD.format(table=table)):
                    connection.execute(statement)
                connection.execute(sql.JOIN.format(table=table), (consumer,))

    def read(self, limit: int) -> Sequence[tuple[str, Change]]:
        rows = self._database.connection().execute(self._read, (self._consumer, limit)).fetchall()
        return [
            (
                str(number),
                Change(
                    id=f"{self._name}/{number}",
                    table=self._name,
                    partition=partition,
                    sort=sort,
                    kind=kind,
                    old=None if old is None else load(old),
                    new=None if new is None else load(new),
                    time=datetime.fromtimestamp(time, timezone.utc),
                ),
            )
            for number, partition, sort, kind, old, new, time in rows
        ]

    def commit(self, token: str) -> None:
        with self._database.write() as connection:
            if connection.execute(self._move, (int(token), self._consumer, int(token))).rowcount:
                connection.execute(self._trim)
