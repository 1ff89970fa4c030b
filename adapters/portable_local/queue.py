"""Queues in SQLite; `_queue_sql` says how the messages lie there."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import datetime, timezone
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from portable_contracts.errors import InvalidArgument, NotFound
from portable_contracts.provider import Address
from portable_contracts.queue import QueueDriver, Received
from portable_local import _queue_sql as sql
from portable_local._addresses import sqlite_place, synchronous
from portable_local._sqlite import Database, classify_sqlite
from portable_local.limits import QUEUE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from typing import Self

    from portable_contracts.errors import PortableError
    from portable_contracts.provider import Opening
    from portable_contracts.queue import Outgoing

FILE = "queues.db"
POLL_SECONDS = 0.02
"""How often a waiting receiver looks for what is due or came from other processes; a send in its own wakes it."""


class LeaseOver(Exception):
    """A delivery is no longer its receiver's."""


class _Receipt(NamedTuple):
    seq: int
    id: str
    attempt: int
    group: str | None


class _Row(NamedTuple):
    """A message as the statements of receiving give it, before it is delivered."""

    seq: int
    id: str
    attempt: int
    group: str | None
    sent: float
    attributes: str | None
    body: bytes
    ready: int


class SqliteQueue(QueueDriver):
    scheme = "sqlite"
    capabilities = QUEUE

    def __init__(
        self, database: Database, name: str, opening: Opening, max_attempts: int | None, dead_letter: str | None
    ) -> None:
        self._database = database
        self._name = name
        self._place = (database.path, name)
        self._clock = opening.clock
        self._max_attempts = max_attempts
        self._dead_letter = dead_letter

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> Self:
        path, name, parameters = sqlite_place(address, opening, FILE)
        chosen = synchronous(address, parameters)
        max_attempts, dead_letter = _dead_letters(address, opening)
        database = Database(path, synchronous=chosen, owner="portable queues", scripts=[sql.SCHEMA])
        return cls(database, name, opening, max_attempts, dead_letter)

    def classify(self, error: Exception) -> type[PortableError]:
        return NotFound if isinstance(error, LeaseOver) else classify_sqlite(error)

    def explain(self, error: Exception) -> str:
        return str(error) if isinstance(error, LeaseOver) else self._database.explain(error)

    def native(self) -> sqlite3.Connection:
        return self._database.connection()

    def close(self) -> None:
        self._database.close()

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        now = self._clock()
        if len(messages) == 1 and messages[0].dedup is None:
            ids = [self._send(self._database.connection(), messages[0], now)]
        else:
            with self._database.write() as connection:
                ids = [
                    self._send(connection, message, now)
                    if message.dedup is None
                    else self._send_once(connection, message, message.dedup, now)
                    for message in messages
                ]
        if _waiting:
            _wake(self._place)
        return ids

    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        received = self._take(limit, lease)
        if received or not wait:
            return received
        # The clock may be a test's, which stands still while this waits: no wait lasts longer than its real time.
        until, really_until = self._clock() + wait, time.monotonic() + wait
        woken = threading.Event()
        waiting = (self._place, woken)
        _waiting.add(waiting)
        try:
            while True:
                now = self._clock()
                due = self.next_due()
                if due is not None and _milliseconds(due) <= _milliseconds(now):
                    received = self._take(limit, lease)
                left = min(until - now, really_until - time.monotonic())
                if received or left <= 0:
                    return received
                woken.wait(min(left, POLL_SECONDS))
                woken.clear()
        finally:
            _waiting.discard(waiting)

    def ack_batch(self, receipts: Sequence[_Receipt]) -> Sequence[Exception | None]:
        if len(receipts) == 1 and receipts[0].group is None:
            self._database.connection().execute(sql.ACK, receipts[0][:3])
        else:
            with self._database.write() as connection:
                connection.executemany(sql.ACK, [receipt[:3] for receipt in receipts])
                for group in {receipt.group for receipt in receipts}:
                    self._expose(connection, group)
        return [None] * len(receipts)

    def retry(self, receipt: _Receipt, *, delay: float) -> None:
        with self._database.write() as connection:
            now = self._clock()
            moment = _milliseconds(now + delay)
            if connection.execute(sql.RETRY, (moment, moment, *receipt[:3])).rowcount:
                if self._exhausted(receipt.attempt):
                    self._bury(connection, receipt, now)
                else:
                    self._expose(connection, receipt.group)

    def extend(self, receipt: _Receipt, *, lease: float) -> None:
        with self._database.write() as connection:
            now = self._clock()
            until = _milliseconds(now + lease)
            if not connection.execute(sql.EXTEND, (until, until, *receipt[:3], _milliseconds(now))).rowcount:
                raise LeaseOver("its lease is over: it ran out, or the message was acknowledged or given back")
            self._expose(connection, receipt.group)

    def next_due(self) -> float | None:
        """Return when the next message may be received, in seconds since the epoch, or None where there is none.

        It is for whoever moves the clock; messages that a receiver would only make dead letters count, too.
        """
        row = self._database.connection().execute(sql.NEXT_DUE, (self._name,)).fetchone()
        return None if row is None else float(row[0] / 1000)

    def _send(self, connection: sqlite3.Connection, message: Outgoing, now: float) -> str:
        id = os.urandom(16).hex()
        attributes = json.dumps(dict(message.attributes)) if message.attributes else None
        moment = _milliseconds(now + message.delay)
        rest = (now, attributes, message.body)
        if message.group is None:
            connection.execute(sql.SEND, (self._name, id, moment, moment, *rest))
        else:
            connection.execute(sql.SEND_IN_GROUP, (self._name, id, moment, *rest, message.group))
        return id

    def _send_once(self, connection: sqlite3.Connection, message: Outgoing, key: str, now: float) -> str:
        """Send *message* unless *key* is remembered; return the id of the message that was sent with it."""
        connection.execute(sql.FORGET, (_milliseconds(now),))
        known = connection.execute(sql.REMEMBERED, (self._name, key)).fetchone()
        if known is not None:
            return str(known[0])
        id = self._send(connection, message, now)
        connection.execute(sql.REMEMBER, (self._name, key, id, _milliseconds(now + QUEUE.dedup_seconds)))
        return id

    def _take(self, limit: int, lease: float) -> list[Received]:
        with self._database.write() as connection:
            now = self._clock()
            rows = self._due(connection, now, limit)
            for first in [row for row in rows if row.group is not None]:
                rows += self._behind(connection, first, now, limit - len(rows))
            until = _milliseconds(now + lease)
            connection.executemany(sql.LEASE, [(until, until, row.seq) for row in rows])
        return [_received(row) for row in rows]

    def _due(self, connection: sqlite3.Connection, now: float, limit: int) -> list[_Row]:
        """Return up to *limit* messages that may be delivered now; make those dead letters that were often enough."""
        while True:
            found = connection.execute(sql.DUE, (self._name, _milliseconds(now), limit))
            rows = [_Row(*row) for row in found]
            exhausted = [row for row in rows if self._exhausted(row.attempt)]
            if not exhausted:
                return rows
            for row in exhausted:
                self._bury(connection, row, now)

    def _behind(self, connection: sqlite3.Connection, first: _Row, now: float, limit: int) -> list[_Row]:
        """Return up to *limit* messages that may be delivered after *first*, which is the first of its group."""
        found = connection.execute(sql.BEHIND, (self._name, first.group, first.seq, limit)).fetchall()
        moment = _milliseconds(now)
        # None of them had more attempts than the first.
        return list(takewhile(lambda row: row.ready <= moment, (_Row(*row) for row in found)))

    def _exhausted(self, attempt: int) -> bool:
        return self._max_attempts is not None and attempt >= self._max_attempts

    def _bury(self, connection: sqlite3.Connection, message: _Row | _Receipt, now: float) -> None:
        """Move *message* to the dead letters, behind those that are there."""
        connection.execute(sql.MOVE, (self._dead_letter, _milliseconds(now), message.seq))
        connection.execute(sql.REMOVE, (message.seq,))
        self._expose(connection, message.group)

    def _expose(self, connection: sqlite3.Connection, group: str | None) -> None:
        """Say when the message that is now the first of *group* may be received."""
        if group is not None:
            connection.execute(sql.FIRST_OF_GROUP, (self._name, group) * 2)


_waiting: set[tuple[tuple[str, str], threading.Event]] = set()
"""The receivers of this process that wait, each with the queue that it waits for."""
# Those of the parent wait in the parent, and one of its threads may have held an event's lock at the fork.
os.register_at_fork(after_in_child=_waiting.clear)


def _wake(place: tuple[str, str]) -> None:
    for waited_for, event in tuple(_waiting):
        if waited_for == place:
            event.set()


def _milliseconds(moment: float) -> int:
    # Whole ones: a delay of 0.3 s is over after three times 0.1 s, though the sums of floats say otherwise.
    return round(moment * 1000)


def _received(row: _Row) -> Received:
    attempt = row.attempt + 1
    return Received(
        row.id,
        row.body,
        {} if row.attributes is None else json.loads(row.attributes),
        attempt,
        datetime.fromtimestamp(row.sent, timezone.utc),
        row.group,
        _Receipt(row.seq, row.id, attempt, row.group),
    )


def _dead_letters(address: Address, opening: Opening) -> tuple[int | None, str | None]:
    """Return the attempts that a message has, and the queue in the same file that it goes to after them."""
    options = {name: value for name, value in opening.options.items() if value is not None}
    for unknown in options.keys() - {"max_attempts", "dead_letter"}:
        raise InvalidArgument(f"queue {address}: unknown option {unknown!r}; known: max_attempts, dead_letter")
    if not options:
        return None, None
    if len(options) == 1:
        raise InvalidArgument(f"queue {address}: max_attempts and dead_letter go together; only {options} was given")
    max_attempts, dead_letter = options["max_attempts"], Address.parse(options["dead_letter"])
    if type(max_attempts) is not int or max_attempts < 1:
        raise InvalidArgument(f"queue {address}: max_attempts is {max_attempts!r}: it is a whole number, 1 or more")
    own, other = (sqlite_place(each, opening, FILE) for each in (address, dead_letter))
    if dead_letter.scheme != "sqlite" or os.path.abspath(own[0]) != os.path.abspath(other[0]) or own[1] == other[1]:
        raise InvalidArgument(
            f"queue {address}: its dead letters cannot go to {dead_letter}: name another queue in the same file"
        )
    return max_attempts, other[1]
