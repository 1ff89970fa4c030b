"""`portable.locks` beside what the suite tests on every table: arguments, deadlines, the async view."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portable import aio
from portable._driving import Connection, invocation
from portable.kv import Table
from portable.locks import Held, Lock
from portable_contracts.errors import InvalidArgument, Unavailable
from portable_contracts.events import NO_CONTEXT
from portable_contracts.provider import Address, Opening
from portable_local.kv import SqliteTable


class Forgetful(SqliteTable):
    """Does what it is asked, and loses the answer of the next writes; or does nothing, and says that it is away."""

    lost = 0
    away = False

    def put(self, *args: Any, **kwargs: Any) -> str:
        if self.away:
            raise Unavailable("nobody answers")
        version = super().put(*args, **kwargs)
        if self.lost:
            self.lost -= 1
            raise Unavailable("the connection was lost")
        return version


@pytest.fixture
def driver(tmp_path: Path) -> Forgetful:
    address = Address.parse(f"sqlite://{tmp_path}/tables.db?name=locks")
    return Forgetful.from_address(address, Opening())  # type: ignore[return-value]  # of the class it is called on


@pytest.fixture
def table(driver: Forgetful) -> Table:
    capabilities, owners = driver.capabilities.narrowed(())
    return Table("locks", lambda: Connection(driver, capabilities, owners, Opening()))


@pytest.fixture
def lock(table: Table) -> Lock:
    return Lock(table, "report")


def test_the_answer_to_taking_it_may_be_lost(driver: Forgetful, lock: Lock) -> None:
    driver.lost = 1

    assert lock.acquire().token == 1


def test_the_answer_to_taking_it_again_may_be_lost(driver: Forgetful, lock: Lock) -> None:
    lock.acquire().release()
    driver.lost = 1

    assert lock.acquire().token == 2


def test_the_answer_to_extending_it_may_be_lost(driver: Forgetful, lock: Lock) -> None:
    lease = lock.acquire()
    before = lease.expires
    driver.lost = 1
    lease.extend(timedelta(minutes=5))

    assert lease.expires > before


def test_a_with_block_ends_well_though_the_table_is_away(driver: Forgetful, lock: Lock) -> None:
    with lock.acquire():
        driver.away = True
    driver.away = False

    with pytest.raises(Held):
        lock.acquire()


def test_releasing_says_that_the_table_is_away(driver: Forgetful, lock: Lock) -> None:
    lease = lock.acquire()
    driver.away = True

    with pytest.raises(Unavailable):
        lease.release()


def test_waiting_ends_after_the_wait(lock: Lock) -> None:
    lock.acquire()
    began = time.monotonic()

    with pytest.raises(Held):
        lock.acquire(wait=timedelta(seconds=0.6))
    assert time.monotonic() - began < 5


def test_waiting_ends_with_the_invocation(lock: Lock) -> None:
    lock.acquire()
    token = invocation.set(NO_CONTEXT.replace(expires=time.time() + 0.2))
    try:
        with pytest.raises(Held):
            lock.acquire(wait=timedelta(hours=1))
    finally:
        invocation.reset(token)


def test_the_async_view_takes_extends_and_releases(lock: Lock) -> None:
    async def work() -> tuple[int, bool]:
        async with await aio.lock(lock).acquire(wait=timedelta(seconds=1)) as lease:
            before = lease.expires
            await lease.extend(timedelta(minutes=5))
            return lease.token, lease.expires > before

    assert asyncio.run(work()) == (1, True)
    assert lock.acquire().token == 2


@pytest.mark.parametrize("name", ["", None, 5], ids=repr)
def test_a_lock_has_a_name(table: Table, name: Any) -> None:
    with pytest.raises(InvalidArgument, match="the name of a lock"):
        Lock(table, name)


@pytest.mark.parametrize("lease", [5, timedelta(0), timedelta(seconds=-1)], ids=repr)
def test_a_lease_is_a_time_above_zero(table: Table, lease: Any) -> None:
    with pytest.raises(InvalidArgument, match="lease="):
        Lock(table, "report", lease=lease)


@pytest.mark.parametrize("wait", [5, timedelta(seconds=-1)], ids=repr)
def test_a_wait_is_a_time(lock: Lock, wait: Any) -> None:
    with pytest.raises(InvalidArgument, match="wait="):
        lock.acquire(wait=wait)


@pytest.mark.parametrize("by", [5, timedelta(0)], ids=repr)
def test_a_lease_is_extended_by_a_time(lock: Lock, by: Any) -> None:
    lease = lock.acquire()

    with pytest.raises(InvalidArgument, match="by="):
        lease.extend(by)


def test_it_says_which_it_is(lock: Lock) -> None:
    assert (repr(lock), repr(lock.acquire())) == ("Lock('report', Table('locks'))", "Lease('report', token=1)")
