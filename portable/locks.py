"""Locks that end by themselves: one holder at a time, over any table.

    lock = locks.Lock(table, "nightly-report", lease=timedelta(minutes=1))
    with lock.acquire(wait=timedelta(seconds=10)) as lease:
        report(fence=lease.token)

A holder that dies, or is slower than its lease, loses the lock to the next one without being asked. What must not be
done twice is therefore to be guarded by the token, which is greater with each acquisition: whoever does the work
refuses a token that is less than one it has seen. Holders compare their own clocks with the time in the table; clocks
that differ make leases longer or shorter by as much, and tokens still grow.
"""

from __future__ import annotations

import time

from portable import _guarded
from portable._driving import invocation
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, PortableError, Timeout, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any, ClassVar, Self

    from portable.kv import Table
    from portable_contracts.kv import Item

LEASE_SECONDS = 30.0
LONGEST_PAUSE = 0.5
"""Seconds between two tries of one that waits; the real ones are drawn."""


class Held(PortableError):
    """Somebody else holds the lock, and did so for as long as was waited."""

    retryable: ClassVar[bool] = True


class LeaseLost(PortableError):
    """The lease had ended, and somebody else has taken the lock since."""


class Lock:
    """A lock called *name*, in *table*, whose item it keeps for good: the tokens must go on growing."""

    def __init__(self, table: Table, name: str, *, lease: timedelta | None = None) -> None:
        from datetime import timedelta

        if type(name) is not str or not name:
            raise InvalidArgument(f"the name of a lock is {name!r}: let it be text, and not empty")
        self.table = table
        self.name = name
        self.lease = _checked("lease", timedelta(seconds=LEASE_SECONDS) if lease is None else lease)
        self._partition = f"lock/{name}"

    def __repr__(self) -> str:
        return f"Lock({self.name!r}, {self.table!r})"

    def acquire(self, *, wait: timedelta | None = None) -> Lease:
        """Take the lock for its lease, as soon as it is free. Raises Held where it is not within *wait*, by default 0.

        It does not wait past the deadline of the invocation.
        """
        from datetime import timedelta
        from secrets import token_hex

        patience = _checked("wait", timedelta(0) if wait is None else wait, least=timedelta(0))
        limit = min(time.time() + patience.total_seconds(), invocation.get().expires)
        owner = token_hex(12)
        while True:
            lease = self._try(owner)
            if lease is not None:
                return lease
            pause = _pause()
            if time.time() + pause > limit:
                raise Held(
                    f"lock {self.name!r} is held by somebody else", operation="acquire", resource=str(self.table)
                )
            time.sleep(pause)

    def _try(self, owner: str) -> Lease | None:
        found: Item | None = self.table.get(self._partition, default=None)
        now = self.table._connection.clock()
        if found is not None and found.value["until"] > now:
            return None
        token = 1 if found is None else found.value["token"] + 1
        try:
            return Lease(self, self._write(token, owner, now + self.lease.total_seconds(), found))
        except (Conflict, AlreadyExists):
            return None

    def _write(self, token: int, owner: str, until: float, over: Item | None) -> Item:
        value = {"token": token, "owner": owner, "until": until}
        return _guarded.write(self.table, self._partition, value, over=over)


class Lease:
    """A lock that is held. As a context manager it is released at the end."""

    def __init__(self, lock: Lock, item: Item) -> None:
        self.lock = lock
        self._item = item

    @property
    def token(self) -> int:
        """The fencing token: greater than that of every earlier lease of this lock."""
        token: int = self._item.value["token"]
        return token

    @property
    def expires(self) -> datetime:
        """When it ends, unless it is extended; aware, in UTC."""
        from datetime import datetime, timezone

        return datetime.fromtimestamp(self._item.value["until"], timezone.utc)

    def __repr__(self) -> str:
        return f"Lease({self.lock.name!r}, token={self.token})"

    def extend(self, by: timedelta | None = None) -> None:
        """Let it end *by* from now, by default the lock's own lease. Raises LeaseLost where somebody else has it."""
        seconds = _checked("by", by if by is not None else self.lock.lease).total_seconds()
        self._set(self._item.value["owner"], self.lock.table._connection.clock() + seconds)

    def release(self) -> None:
        """Give the lock back. Nothing happens where it was released or lost already."""
        if self._item.value["owner"]:
            try:
                self._set("", 0.0)
            except LeaseLost:
                pass

    def _set(self, owner: str, until: float) -> None:
        lock = self.lock
        try:
            if not self._item.value["owner"]:
                raise Conflict("it was released")
            self._item = lock._write(self.token, owner, until, self._item)
        except Conflict as error:
            raise LeaseLost(
                f"lock {lock.name!r} is not held any more: the lease with token {self.token} has ended",
                operation="extend",
                resource=str(lock.table),
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.release()
        except (Unavailable, Timeout):
            pass  # It ends by itself.


def _checked(what: str, given: Any, *, least: timedelta | None = None) -> timedelta:
    from datetime import timedelta

    if not isinstance(given, timedelta) or given < (least if least is not None else timedelta(microseconds=1)):
        raise InvalidArgument(f"{what}={given!r}: pass a timedelta {'from' if least is not None else 'above'} zero")
    return given


def _pause() -> float:
    from random import uniform

    return uniform(LONGEST_PAUSE / 10, LONGEST_PAUSE)  # noqa: S311  # jitter, not a secret
