"""The events of one bucket, recorded by triggers in the transaction of each write, from the first consumer on."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from portable_contracts.events import BlobEvent, Feed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_local._sqlite import Database

KEPT_SECONDS = 7 * 24 * 3600
"""A consumer that stays away for longer misses events: one that never comes back must not fill the disk."""

SCHEMA = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL, kind TEXT NOT NULL, time REAL NOT NULL, size INTEGER, version TEXT
);
CREATE TABLE consumers (consumer TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
"""

_FORGET = f"""
    DELETE FROM events WHERE id <= (SELECT min(id) + 1 FROM events)
    AND time < (SELECT time - {KEPT_SECONDS} FROM events ORDER BY id DESC LIMIT 1);
"""  # noqa: S608  # a number of ours
_CREATED = f"""
    INSERT INTO events (key, kind, time, size, version)
    VALUES (NEW.key, 'created', NEW.modified, NEW.size, NEW.version);
    {_FORGET}
"""  # noqa: S608  # as above
_DELETED = f"""
    INSERT INTO events (key, kind, time, version)
    VALUES (OLD.key, 'deleted', coalesce(OLD.deleted, (julianday('now') - 2440587.5) * 86400.0), OLD.version);
    {_FORGET}
"""  # noqa: S608  # as above
_RECORD = (
    f"CREATE TRIGGER IF NOT EXISTS created AFTER INSERT ON objects BEGIN {_CREATED} END",
    f"CREATE TRIGGER IF NOT EXISTS created_over AFTER UPDATE OF version ON objects BEGIN {_CREATED} END",
    f"CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON objects BEGIN {_DELETED} END",
)


class BucketFeed(Feed[BlobEvent]):
    """The events of the bucket called *name* in its address, for one consumer."""

    def __init__(self, database: Database, name: str, consumer: str) -> None:
        self._database = database
        self._name = name
        self._consumer = consumer
        joined = "SELECT 1 FROM consumers WHERE consumer = ?"
        if database.connection().execute(joined, (consumer,)).fetchone() is None:
            self._join()

    def _join(self) -> None:
        with self._database.write() as connection:
            for trigger in _RECORD:
                connection.execute(trigger)
            connection.execute(
                "INSERT OR IGNORE INTO consumers "
                "VALUES (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))",
                (self._consumer,),
            )

    def read(self, limit: int) -> Sequence[tuple[str, BlobEvent]]:
        rows = self._database.connection().execute(
            "SELECT id, key, kind, time, size, version FROM events "
            "WHERE id > (SELECT place FROM consumers WHERE consumer = ?) ORDER BY id LIMIT ?",
            (self._consumer, limit),
        )
        return [
            (
                str(number),
                BlobEvent(
                    id=f"{self._name}/{number}",
                    bucket=self._name,
                    key=key,
                    kind=kind,
                    time=datetime.fromtimestamp(time, timezone.utc),
                    size=size,
                    version=version,
                ),
            )
            for number, key, kind, time, size, version in rows.fetchall()
        ]

    def commit(self, token: str) -> None:
        with self._database.write() as connection:
            moved = connection.execute(
                "UPDATE consumers SET place = ? WHERE consumer = ? AND place < ?",
                (int(token), self._consumer, int(token)),
            )
            if moved.rowcount:
                connection.execute("DELETE FROM events WHERE id <= (SELECT min(place) FROM consumers)")
