"""The queue contract: leases, attempts, retries, delays, and receipts that are stale."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._queues import Leases, bodies, drain, seconds, take
from portable_contracts.errors import InvalidArgument, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.queue import QueueCapabilities

    PassTime = Callable[[float], None]

pytestmark = contract("queue")


class TestLeases:
    def test_nobody_else_gets_a_message_while_its_lease_lasts(
        self, queue: Queue, leases: Leases, reopen: Callable[[Queue], Queue], pass_time: PassTime
    ) -> None:
        queue.send(b"1")
        leases.one(queue)
        pass_time(leases.length - 4)

        assert queue.receive() == []
        assert reopen(queue).receive() == []

    def test_a_message_comes_back_when_its_lease_ends(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1", attributes={"a": "1"})
        first = leases.one(queue)
        leases.end()
        second = leases.one(queue)

        assert (second.id, second.body, second.attributes) == (first.id, first.body, first.attributes)

    def test_another_receiver_may_get_it_then(
        self, queue: Queue, leases: Leases, reopen: Callable[[Queue], Queue]
    ) -> None:
        queue.send(b"1")
        leases.one(queue)
        leases.end()

        assert leases.one(reopen(queue)).body == b"1"

    def test_the_attempt_grows_with_every_delivery(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        attempts = []
        for _ in range(4):
            attempts.append(leases.one(queue).attempt)
            leases.end()

        assert attempts == [1, 2, 3, 4]

    def test_a_message_comes_back_until_it_is_acknowledged(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        for _ in range(3):
            leases.one(queue)
            leases.end()
        leases.one(queue).ack()
        leases.end()

        assert queue.receive() == []

    def test_every_message_of_a_batch_has_a_lease_of_its_own(self, queue: Queue, leases: Leases) -> None:
        queue.send_many([b"1", b"2", b"3"])
        messages = leases.take(queue, 3)
        messages[0].ack()
        leases.end()
        again = leases.take(queue, 2)

        assert sorted(bodies(again)) == sorted(bodies(messages[1:]))
        assert [message.attempt for message in again] == [2, 2]

    def test_a_receive_without_a_lease_still_hides_the_message(
        self, queue: Queue, capabilities: QueueCapabilities, pass_time: PassTime
    ) -> None:
        queue.send(b"1")
        take(queue)

        assert queue.receive() == []

    @needs("choose_lease")
    def test_a_longer_lease_lasts_longer(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        take(queue, lease=seconds(leases.length * 3))
        leases.end()

        assert queue.receive() == []

    @without("choose_lease")
    def test_a_lease_is_refused_where_it_cannot_be_chosen(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        queue.send(b"1")
        with pytest.raises(Unsupported):
            queue.receive(lease=seconds(max(10, capabilities.min_lease_seconds)))

        assert bodies(take(queue)) == [b"1"]

    def test_messages_come_back_beside_new_ones(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"old")
        leases.one(queue)
        leases.end()
        queue.send(b"new")

        assert sorted(bodies(leases.take(queue, 2))) == [b"new", b"old"]


class TestExtending:
    @needs("extend")
    def test_an_extended_lease_lasts_from_the_moment_it_was_extended(
        self, queue: Queue, leases: Leases, pass_time: PassTime
    ) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        pass_time(leases.length - 4)
        message.extend(seconds(leases.length))
        pass_time(leases.length - 4)

        assert queue.receive() == []

    @needs("extend")
    def test_an_extended_lease_ends(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        leases.one(queue).extend(seconds(leases.length))
        leases.end()

        assert leases.one(queue).attempt == 2

    @needs("extend", "choose_lease")
    def test_an_extension_may_shorten_a_lease(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        (message,) = take(queue, lease=seconds(leases.length * 5))
        message.extend(seconds(leases.length))
        leases.end()

        assert leases.one(queue).attempt == 2

    @needs("extend")
    def test_an_extended_message_can_be_acknowledged(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.extend(seconds(leases.length))
        message.ack()
        leases.end()

        assert queue.receive() == []

    @needs("extend")
    def test_extending_again_and_again_keeps_a_message(self, queue: Queue, leases: Leases, pass_time: PassTime) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        for _ in range(3):
            pass_time(leases.length - 4)
            message.extend(seconds(leases.length))

        assert queue.receive() == []

    @needs("extend")
    def test_an_acknowledged_message_cannot_be_extended(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.ack()

        with pytest.raises(NotFound):
            message.extend(seconds(leases.length))

    @needs("extend")
    def test_a_message_that_went_to_another_receiver_cannot_be_extended(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        leases.end()
        leases.one(queue)

        with pytest.raises(NotFound):
            message.extend(seconds(leases.length))

    @needs("extend", "retry_delay")
    def test_a_message_that_was_given_back_cannot_be_extended(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.retry(seconds(60))

        with pytest.raises(NotFound):
            message.extend(seconds(leases.length))

    @without("extend")
    def test_extending_is_refused_where_it_cannot_be_done(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        with pytest.raises(Unsupported):
            message.extend(seconds(leases.length))
        leases.end()

        assert leases.one(queue).attempt == 2


class TestRetrying:
    def test_a_retried_message_comes_again_but_not_at_once(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        leases.one(queue).retry()
        assert queue.receive() == []
        leases.end()

        assert leases.one(queue).attempt == 2

    def test_the_wait_grows_with_each_attempt(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        for _ in range(3):
            leases.one(queue).retry()
            leases.end()

        assert leases.one(queue).attempt == 4

    @needs("retry_delay", "choose_lease")
    def test_a_retry_without_a_delay_comes_before_its_lease_would_have_ended(
        self, queue: Queue, leases: Leases, pass_time: PassTime
    ) -> None:
        queue.send(b"1")
        (message,) = take(queue, lease=seconds(leases.length * 5))
        message.retry()
        pass_time(3)

        assert leases.one(queue).attempt == 2

    @needs("retry_delay")
    def test_a_retry_after_no_time_comes_at_once(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        leases.one(queue).retry(seconds(0))

        assert leases.one(queue).attempt == 2

    @needs("retry_delay")
    def test_a_retry_comes_after_its_delay_and_not_before(
        self, queue: Queue, leases: Leases, pass_time: PassTime
    ) -> None:
        queue.send(b"1")
        leases.one(queue).retry(seconds(20))
        pass_time(16)
        assert queue.receive() == []
        pass_time(5)

        assert leases.one(queue).attempt == 2

    @needs("retry_delay")
    def test_a_retried_message_is_the_same_message(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1", attributes={"a": "1"})
        first = leases.one(queue)
        first.retry(seconds(0))
        second = leases.one(queue)

        assert (second.id, second.body, second.attributes, second.sent) == (
            first.id,
            first.body,
            first.attributes,
            first.sent,
        )

    @needs("retry_delay")
    def test_retrying_twice_is_no_error(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        message.retry(seconds(0))
        message.retry(seconds(0))

        assert drain(queue) == [b"1"]

    @pytest.mark.parametrize("delay", [5, "5", -1.5], ids=repr)
    @needs("retry_delay")
    def test_a_delay_that_is_no_timedelta_is_refused(self, queue: Queue, leases: Leases, delay: Any) -> None:
        queue.send(b"1")

        with pytest.raises(InvalidArgument):
            leases.one(queue).retry(delay)

    @without("retry_delay")
    def test_a_chosen_delay_is_refused_where_it_cannot_be_chosen(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        with pytest.raises(Unsupported):
            message.retry(seconds(5))
        assert queue.receive() == []
        leases.end()

        assert leases.one(queue).attempt == 2
