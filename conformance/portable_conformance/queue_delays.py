"""The queue contract: messages that nobody receives before their time."""

from __future__ import annotations

from typing import Any

import pytest

from portable import Send
from portable_conformance import contract, needs, without
from portable_conformance._queues import bodies, seconds, take
from portable_contracts.errors import InvalidArgument, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue

    PassTime = Callable[[float], None]

pytestmark = contract("queue")


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
        first = take(queue)
        assert queue.ack_many(first) == [None]
        pass_time(11)

        assert (bodies(first), bodies(take(queue))) == ([b"10"], [b"20"])

    @needs("delay")
    def test_messages_sent_together_keep_their_own_delays(self, queue: Queue, pass_time: PassTime) -> None:
        queue.send_many([Send(b"now"), Send(b"later", delay=seconds(10))])
        now = take(queue)
        assert queue.ack_many(now) == [None]
        pass_time(11)

        assert (bodies(now), bodies(take(queue))) == ([b"now"], [b"later"])

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
