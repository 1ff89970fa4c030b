"""`portable.locks` over any table: one holder at a time, leases that end, tokens that grow."""

from __future__ import annotations

import subprocess
import threading
from datetime import timedelta

import pytest

from portable.locks import Held, Lease, LeaseLost, Lock
from portable_conformance import contract
from portable_conformance._threads import other_than, race, together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table

    PassTime = Callable[[float], None]
    StartProcess = Callable[..., subprocess.Popen[str]]

pytestmark = contract("table")

LEASE = 30
"""Seconds; where time has to be waited for no test lets it end."""
SHORT = 2


@pytest.fixture
def lock(table: Table) -> Lock:
    return Lock(table, "report", lease=timedelta(seconds=LEASE))


@pytest.fixture
def short(table: Table) -> Lock:
    """Return the same lock, for another holder with a short lease."""
    return Lock(table, "report", lease=timedelta(seconds=SHORT))


class TestLocks:
    def test_a_lock_that_is_free_is_taken(self, lock: Lock) -> None:
        assert isinstance(lock.acquire(), Lease)

    def test_a_lock_that_is_held_is_refused(self, lock: Lock) -> None:
        lock.acquire()

        with pytest.raises(Held):
            lock.acquire()

    def test_a_refusal_names_the_lock_and_may_be_tried_again(self, lock: Lock) -> None:
        lock.acquire()
        with pytest.raises(Held, match="'report'") as caught:
            lock.acquire()

        assert caught.value.retryable

    def test_a_lock_that_was_released_is_taken_again(self, lock: Lock) -> None:
        lock.acquire().release()

        assert lock.acquire()

    def test_locks_of_other_names_are_free(self, table: Table, lock: Lock) -> None:
        lock.acquire()

        assert Lock(table, "another").acquire()

    def test_locks_in_other_tables_are_free(self, make_table: Callable[[], Table], lock: Lock) -> None:
        lock.acquire()

        assert Lock(make_table(), "report").acquire()

    def test_a_lock_is_held_for_every_handle_on_the_table(
        self, table: Table, lock: Lock, reopen: Callable[[Table], Table]
    ) -> None:
        lock.acquire()

        with pytest.raises(Held):
            Lock(reopen(table), "report").acquire()

    def test_a_with_block_releases_it(self, lock: Lock) -> None:
        with lock.acquire():
            pass

        assert lock.acquire()

    def test_a_with_block_that_fails_releases_it(self, lock: Lock) -> None:
        with pytest.raises(KeyError), lock.acquire():
            raise KeyError

        assert lock.acquire()

    def test_releasing_twice_does_nothing(self, lock: Lock) -> None:
        lease = lock.acquire()
        lease.release()
        other = lock.acquire()
        lease.release()

        with pytest.raises(Held):
            lock.acquire()
        other.extend()

    def test_a_waiter_gets_the_lock_when_it_is_released(self, lock: Lock) -> None:
        lease = lock.acquire()
        timer = threading.Timer(0.2, lease.release)
        timer.start()
        try:
            assert lock.acquire(wait=timedelta(seconds=20)).token > lease.token
        finally:
            timer.join()

    def test_of_racing_takers_one_wins_each_time(self, table: Table) -> None:
        outcomes = race(
            8,
            10,
            lambda: table.get("p", "none", default=None),
            lambda number, turn: Lock(table, f"lock {turn}").acquire().token,
        )

        assert [other_than(Held, each) for each in outcomes] == [[1]] * 10

    @pytest.mark.slow
    def test_what_is_done_under_the_lock_is_done_by_one_at_a_time(self, table: Table, lock: Lock) -> None:
        def count(number: int) -> None:
            for _ in range(5):
                with lock.acquire(wait=timedelta(seconds=200)):
                    item = table.get("counter", default=None)
                    table.put("counter", "", 1 if item is None else item.value + 1)

        assert together(4, count) == [None] * 4
        assert table.get("counter").value == 20


class TestTokens:
    def test_the_first_is_a_whole_number(self, lock: Lock) -> None:
        assert type(lock.acquire().token) is int

    def test_each_acquisition_has_a_greater_one(self, lock: Lock) -> None:
        tokens = []
        for _ in range(5):
            with lock.acquire() as lease:
                tokens.append(lease.token)

        assert tokens == sorted(set(tokens))

    def test_extending_keeps_it(self, lock: Lock) -> None:
        lease = lock.acquire()
        before = lease.token
        lease.extend()

        assert lease.token == before

    def test_the_one_after_a_lease_that_ended_is_greater(self, short: Lock, pass_time: PassTime) -> None:
        lease = short.acquire()
        pass_time(SHORT + 1)

        assert short.acquire().token > lease.token


class TestLeases:
    def test_a_lock_is_free_when_its_lease_has_ended(self, short: Lock, lock: Lock, pass_time: PassTime) -> None:
        short.acquire()
        pass_time(SHORT + 1)

        assert lock.acquire()

    def test_an_extended_lease_lasts(self, short: Lock, lock: Lock, pass_time: PassTime) -> None:
        lease = short.acquire()
        lease.extend(timedelta(seconds=SHORT + LEASE))
        pass_time(SHORT + 1)

        with pytest.raises(Held):
            lock.acquire()

    def test_it_says_when_it_ends(self, lock: Lock, now: Callable[[], float]) -> None:
        before = now()
        expires = lock.acquire().expires

        assert before + LEASE <= expires.timestamp() <= now() + LEASE
        assert expires.utcoffset() == timedelta(0)

    def test_extending_moves_the_end(self, lock: Lock, now: Callable[[], float]) -> None:
        lease = lock.acquire()
        before = now()
        lease.extend(timedelta(seconds=500))

        assert before + 500 <= lease.expires.timestamp() <= now() + 500

    def test_a_lease_that_ended_may_be_extended_while_nobody_took_the_lock(
        self, short: Lock, lock: Lock, pass_time: PassTime
    ) -> None:
        lease = short.acquire()
        pass_time(SHORT + 1)
        lease.extend(timedelta(seconds=LEASE))

        with pytest.raises(Held):
            lock.acquire()

    def test_a_lease_is_lost_when_somebody_else_took_the_lock(
        self, short: Lock, lock: Lock, pass_time: PassTime
    ) -> None:
        lease = short.acquire()
        pass_time(SHORT + 1)
        lock.acquire()

        with pytest.raises(LeaseLost, match="'report'"):
            lease.extend()

    def test_releasing_a_lost_lease_leaves_the_other_holder_alone(
        self, short: Lock, lock: Lock, pass_time: PassTime
    ) -> None:
        lease = short.acquire()
        pass_time(SHORT + 1)
        other = lock.acquire()
        lease.release()
        other.extend()

        with pytest.raises(Held):
            lock.acquire()

    def test_a_lease_that_was_released_cannot_be_extended(self, lock: Lock) -> None:
        lease = lock.acquire()
        lease.release()

        with pytest.raises(LeaseLost):
            lease.extend()


HOLDING = """
from datetime import timedelta
from portable.locks import Lock
print(Lock(resource, "report", lease=timedelta(seconds=int(arguments[0]))).acquire().token, flush=True)
sys.stdin.read()
"""


class TestProcesses:
    def test_a_holder_in_another_process_keeps_it(self, table: Table, lock: Lock, start_process: StartProcess) -> None:
        token_of(start_process(table, HOLDING, "500"))

        with pytest.raises(Held):
            lock.acquire()

    def test_a_holder_that_is_killed_loses_it_with_its_lease(
        self, table: Table, lock: Lock, start_process: StartProcess, pass_time: PassTime
    ) -> None:
        process = start_process(table, HOLDING, str(SHORT))
        token = token_of(process)
        process.kill()
        pass_time(SHORT + 1)

        assert lock.acquire().token > token


def token_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())
