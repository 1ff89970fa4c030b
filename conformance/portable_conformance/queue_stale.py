"""The queue contract: a receipt names one delivery, and a stale one never touches another."""

from __future__ import annotations

import pytest

from portable_conformance import contract, needs
from portable_conformance._queues import Leases, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.events import Message

    PassTime = Callable[[float], None]

pytestmark = contract("queue")


STALE: dict[str, Callable[[Message], None]] = {
    "acknowledging": lambda message: message.ack(),
    "giving back": lambda message: message.retry(),
}
every_stale_call = pytest.mark.parametrize("call", STALE.values(), ids=STALE)


class TestStaleReceipts:
    """A receipt names one delivery: a stale one never touches another."""

    @every_stale_call
    def test_a_late_call_leaves_the_new_delivery_leased(
        self, queue: Queue, leases: Leases, call: Callable[[Message], None], pass_time: PassTime
    ) -> None:
        queue.send(b"1")
        stale = leases.one(queue)
        leases.end()
        leases.one(queue)
        call(stale)
        pass_time(3)

        assert queue.receive() == []

    @every_stale_call
    def test_a_late_call_does_not_keep_the_message_from_coming_back(
        self, queue: Queue, leases: Leases, call: Callable[[Message], None]
    ) -> None:
        queue.send(b"1")
        stale = leases.one(queue)
        leases.end()
        leases.one(queue)
        call(stale)
        leases.end()

        assert leases.one(queue).attempt == 3

    @every_stale_call
    def test_the_new_delivery_can_be_acknowledged_after_a_late_call(
        self, queue: Queue, leases: Leases, call: Callable[[Message], None]
    ) -> None:
        queue.send(b"1")
        stale = leases.one(queue)
        leases.end()
        fresh = leases.one(queue)
        call(stale)
        fresh.ack()
        leases.end()

        assert queue.receive() == []

    @every_stale_call
    def test_a_call_after_an_acknowledgement_brings_nothing_back(
        self, queue: Queue, leases: Leases, call: Callable[[Message], None]
    ) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.ack()
        call(message)
        leases.end()

        assert queue.receive() == []

    @every_stale_call
    def test_a_call_after_the_lease_ended_and_before_anyone_else_came_is_no_error(
        self, queue: Queue, leases: Leases, call: Callable[[Message], None]
    ) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        leases.end()

        call(message)

    @needs("retry_delay")
    def test_an_acknowledgement_after_giving_back_does_nothing(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.retry(seconds(0))
        message.ack()

        assert leases.one(queue).attempt == 2

    @needs("retry_delay")
    def test_giving_back_late_does_not_end_the_new_lease(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        stale = leases.one(queue)
        leases.end()
        leases.one(queue)
        stale.retry(seconds(0))

        assert queue.receive() == []

    @needs("retry_delay")
    def test_giving_back_after_an_acknowledgement_brings_nothing_back(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.ack()
        message.retry(seconds(0))

        assert queue.receive() == []

    def test_acknowledging_many_late_ones_touches_no_new_delivery(self, queue: Queue, leases: Leases) -> None:
        queue.send_many([b"1", b"2"])
        stale = leases.take(queue, 2)
        leases.end()
        leases.take(queue, 2)
        assert queue.ack_many(stale) == [None, None]
        leases.end()

        assert [message.attempt for message in leases.take(queue, 2)] == [3, 3]

    def test_a_late_acknowledgement_through_the_handle_of_another_receiver_does_nothing_either(
        self, queue: Queue, leases: Leases, reopen: Callable[[Queue], Queue]
    ) -> None:
        queue.send(b"1")
        stale = leases.one(queue)
        leases.end()
        leases.one(reopen(queue))
        stale.ack()
        leases.end()

        assert leases.one(queue).attempt == 3
