"""The queue contract: receiving, waiting and acknowledging."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from portable_conformance import contract
from portable_conformance._queues import Leases, bodies, seconds, sent_and_received, take
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.queue import QueueCapabilities, QueueDriver

pytestmark = contract("queue")


class TestReceiving:
    def test_an_empty_queue_gives_nothing(self, queue: Queue) -> None:
        assert queue.receive() == []

    def test_a_message_says_what_it_is(self, queue: Queue, now: Callable[[], float]) -> None:
        message = sent_and_received(queue, b"1")

        assert isinstance(message, Message)
        assert message.queue == queue.name
        assert message.attempt == 1
        assert message.group is None
        assert message.sent is not None
        assert message.sent.utcoffset() == timedelta(0)
        assert abs(message.sent.timestamp() - now()) < 60

    def test_the_sent_time_stays_when_a_message_comes_again(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        (first,) = leases.take(queue)
        leases.end()
        (second,) = take(queue)

        assert second.sent == first.sent
        assert second.id == first.id

    @pytest.mark.parametrize("limit", [1, 3, 10])
    def test_no_more_than_the_limit_are_received(self, queue: Queue, limit: int) -> None:
        queue.send_many([str(number) for number in range(12)])

        assert 1 <= len(queue.receive(limit, wait=seconds(1))) <= limit

    def test_a_limit_past_what_one_call_gives_is_filled(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        count = min(capabilities.max_receive_batch, 200) + 5
        queue.send_many([f"{number:04}" for number in range(count)])

        assert len(set(bodies(take(queue, count)))) == count

    @pytest.mark.parametrize("limit", [0, -1, 1.5, "1", True, None], ids=repr)
    def test_a_limit_that_is_no_whole_number_above_zero_is_refused(self, queue: Queue, limit: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.receive(limit)

    @pytest.mark.parametrize("name", ["wait", "lease"])
    @pytest.mark.parametrize("duration", [10, 10.0, "10"], ids=repr)
    def test_a_duration_that_is_no_timedelta_is_refused(self, queue: Queue, name: str, duration: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.receive(1, **{name: duration})

    @pytest.mark.parametrize("name", ["wait", "lease"])
    def test_a_duration_below_zero_is_refused(self, queue: Queue, name: str) -> None:
        with pytest.raises(InvalidArgument):
            queue.receive(1, **{name: seconds(-1)})

    def test_a_message_sent_through_another_handle_is_received(
        self, queue: Queue, reopen: Callable[[Queue], Queue]
    ) -> None:
        reopen(queue).send(b"1")

        assert bodies(take(queue)) == [b"1"]

    def test_two_receivers_share_the_messages_and_get_none_twice(
        self, queue: Queue, reopen: Callable[[Queue], Queue]
    ) -> None:
        other = reopen(queue)
        queue.send_many([f"{number:02}" for number in range(20)])
        found = []
        for _ in range(10):
            found += bodies(take(queue)) + bodies(take(other))

        assert sorted(found) == [f"{number:02}".encode() for number in range(20)]

    def test_messages_stay_when_the_last_handle_is_closed(
        self, queue: Queue, reopen: Callable[[Queue], Queue], driver_of: Callable[[Queue], QueueDriver]
    ) -> None:
        queue.send(b"1", attributes={"a": "1"})
        driver_of(queue).close()

        assert bodies(take(reopen(queue))) == [b"1"]


class TestWaiting:
    def test_without_a_wait_it_returns_at_once(self, queue: Queue) -> None:
        queue.receive()
        began = time.monotonic()
        queue.receive()

        assert time.monotonic() - began < 1

    def test_with_a_message_there_it_returns_at_once(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        queue.send(b"1")
        began = time.monotonic()
        messages = queue.receive(10, wait=seconds(min(capabilities.max_wait_seconds, 10)))

        assert bodies(messages) == [b"1"]
        assert time.monotonic() - began < 3

    @pytest.mark.slow
    def test_with_none_it_returns_when_the_wait_is_over(self, queue: Queue) -> None:
        began = time.monotonic()

        assert queue.receive(wait=seconds(1)) == []
        assert 0.9 < time.monotonic() - began < 5

    @pytest.mark.parametrize("same_handle", [True, False], ids=["the same handle", "another handle"])
    def test_a_message_sent_meanwhile_ends_the_wait(
        self, queue: Queue, reopen: Callable[[Queue], Queue], capabilities: QueueCapabilities, same_handle: bool
    ) -> None:
        sender = queue if same_handle else reopen(queue)
        sender.receive()
        timer = threading.Timer(0.2, sender.send, [b"1"])
        timer.start()
        began = time.monotonic()
        messages = queue.receive(wait=seconds(min(capabilities.max_wait_seconds, 10)))
        waited = time.monotonic() - began
        timer.join()

        assert bodies(messages) == [b"1"]
        assert waited < 5

    @pytest.mark.slow
    def test_a_message_sent_by_another_process_ends_the_wait(
        self, queue: Queue, start_process: Callable[..., Any], capabilities: QueueCapabilities
    ) -> None:
        process = start_process(queue, "sys.stdin.readline(); resource.send(b'1')")
        process.stdin.write("go\n")
        process.stdin.flush()
        messages = queue.receive(wait=seconds(min(capabilities.max_wait_seconds, 20)))

        assert bodies(messages) == [b"1"]
        assert process.wait() == 0


class TestAcknowledging:
    def test_an_acknowledged_message_never_comes_again(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        (message,) = leases.take(queue)
        message.ack()
        leases.end()

        assert queue.receive() == []

    def test_an_acknowledgement_gives_nothing(self, queue: Queue) -> None:
        assert sent_and_received(queue, b"1").ack() is None  # type: ignore[func-returns-value]  # this is the fact

    def test_acknowledging_one_message_leaves_the_others(self, queue: Queue, leases: Leases) -> None:
        queue.send_many([b"1", b"2", b"3"])
        messages = leases.take(queue, 3)
        messages[1].ack()
        leases.end()

        assert sorted(bodies(take(queue, 2))) == sorted([messages[0].body, messages[2].body])
        assert queue.receive() == []

    def test_acknowledging_twice_is_no_error(self, queue: Queue) -> None:
        message = sent_and_received(queue, b"1")
        message.ack()
        message.ack()

        assert queue.receive() == []

    @pytest.mark.parametrize("count", [0, 1, 3, 12])
    def test_many_are_acknowledged_with_an_outcome_each(self, queue: Queue, leases: Leases, count: int) -> None:
        queue.send_many([str(number) for number in range(count)])
        outcomes = queue.ack_many(leases.take(queue, count) if count else [])
        leases.end()

        assert outcomes == [None] * count
        assert queue.receive() == []

    def test_one_acknowledged_twice_among_many_is_no_error(self, queue: Queue) -> None:
        queue.send_many([b"1", b"2"])
        messages = take(queue, 2)
        messages[0].ack()

        assert queue.ack_many([*messages, messages[1]]) == [None, None, None]

    def test_a_message_of_another_queue_is_refused_among_many(self, make_queue: Callable[[], Queue]) -> None:
        one, other = make_queue(), make_queue()
        message = sent_and_received(one, b"1")

        with pytest.raises(InvalidArgument):
            other.ack_many([message])

    def test_a_message_received_through_one_handle_can_be_acknowledged_after_that_was_closed(
        self,
        queue: Queue,
        reopen: Callable[[Queue], Queue],
        driver_of: Callable[[Queue], QueueDriver],
        leases: Leases,
    ) -> None:
        other = reopen(queue)
        queue.send(b"1")
        (message,) = leases.take(other)
        driver_of(other).close()
        message.ack()
        leases.end()

        assert queue.receive() == []
