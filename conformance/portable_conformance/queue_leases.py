"""The queue contract: leases, attempts, retries, delays, and receipts that are stale."""

from __future__ import annotations

from typing import Any

import pytest

from portable._outgoing import Send
from portable_conformance import contract, needs, without
from portable_conformance._queues import Leases, bodies, drain, seconds, take
from portable_contracts.errors import InvalidArgument, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.events import Message
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

    def test_a_longer_lease_lasts_longer(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        take(queue, lease=seconds(leases.length * 3))
        leases.end()

        assert queue.receive() == []

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

    @needs("extend")
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

    @needs("retry_delay")
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


class TestDelays:
    @needs("delay")
    def test_a_delayed_message_comes_after_its_delay_and_not_before(self, queue: Queue, pass_time: PassTime) -> None:
        queue.send(b"1", delay=seconds(10))
        assert queue.receive() == []
        pass_time(6)
        assert queue.receive() == []
        pass_time(5)

        assert bodies(take(queue)) == [b"1"]

    @needs("delay")
    def test_the_first_delivery_of_a_delayed_message_is_its_first_attempt(
        self, queue: Queue, pass_time: PassTime
    ) -> None:
        queue.send(b"1", delay=seconds(5))
        queue.receive()
        pass_time(6)

        assert take(queue)[0].attempt == 1

    @needs("delay")
    def test_a_delayed_message_holds_up_no_other(self, queue: Queue) -> None:
        queue.send(b"later", delay=seconds(60))
        queue.send(b"now")

        assert bodies(take(queue)) == [b"now"]

    @needs("delay")
    def test_messages_come_in_the_order_of_their_delays(self, queue: Queue, pass_time: PassTime) -> None:
        queue.send(b"20", delay=seconds(20))
        queue.send(b"10", delay=seconds(10))
        pass_time(11)
        first = bodies(take(queue))
        pass_time(11)

        assert (first, bodies(take(queue))) == ([b"10"], [b"20"])

    @needs("delay")
    def test_messages_sent_together_keep_their_own_delays(self, queue: Queue, pass_time: PassTime) -> None:
        queue.send_many([Send(b"now"), Send(b"later", delay=seconds(10))])
        assert bodies(take(queue)) == [b"now"]
        pass_time(11)

        assert bodies(take(queue)) == [b"later"]

    @needs("delay")
    @pytest.mark.slow
    def test_a_message_whose_delay_ends_meanwhile_ends_a_wait(self, queue: Queue) -> None:
        queue.send(b"1", delay=seconds(1))

        assert bodies(queue.receive(wait=seconds(10))) == [b"1"]

    @needs("delay")
    @pytest.mark.parametrize("delay", [5, "5", -1.5], ids=repr)
    def test_a_delay_that_is_no_timedelta_is_refused(self, queue: Queue, delay: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.send(b"1", delay=delay)

        assert queue.receive() == []

    @needs("delay")
    def test_a_delay_below_zero_is_refused(self, queue: Queue) -> None:
        with pytest.raises(InvalidArgument):
            queue.send(b"1", delay=seconds(-1))

        assert queue.receive() == []

    def test_a_delay_of_nothing_is_none(self, queue: Queue) -> None:
        queue.send(b"1", delay=seconds(0))

        assert bodies(take(queue)) == [b"1"]

    @without("delay")
    def test_a_delay_is_refused_where_there_are_none(self, queue: Queue) -> None:
        with pytest.raises(Unsupported):
            queue.send(b"1", delay=seconds(1))

        assert queue.receive() == []


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
