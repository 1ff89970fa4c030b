"""The queue contract: messages that were received too often move to another queue."""

from __future__ import annotations

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._queues import Leases, bodies, drain, seconds, take
from portable_contracts.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue

pytestmark = contract("queue")


ATTEMPTS = 5
"""The fewest that every service with dead letters can be told."""


@pytest.fixture
def dead(make_queue: Callable[..., Queue]) -> Queue:
    return make_queue()


@pytest.fixture
def mortal(make_queue: Callable[..., Queue], dead: Queue) -> Queue:
    """Return the queue whose messages move to `dead` when they were received ATTEMPTS times."""
    return make_queue(max_attempts=ATTEMPTS, dead_letter=dead)


def fail(queue: Queue, leases: Leases, times: int) -> list[int]:
    """Receive the one message *times* times, without acknowledging it; return the attempts."""
    attempts = []
    for _ in range(times):
        attempts += [message.attempt for message in leases.take(queue)]
        leases.end()
    return attempts


class TestDeadLetters:
    @needs("dead_letters")
    def test_a_message_is_received_as_often_as_allowed_and_then_moves(
        self, mortal: Queue, dead: Queue, leases: Leases
    ) -> None:
        mortal.send(b"1")

        assert fail(mortal, leases, ATTEMPTS) == [1, 2, 3, 4, 5]
        assert mortal.receive() == []
        assert bodies(take(dead)) == [b"1"]

    @needs("dead_letters")
    def test_it_moves_with_its_body_and_attributes(self, mortal: Queue, dead: Queue, leases: Leases) -> None:
        mortal.send(bytes(range(256)), attributes={"a": "é", "b": ""})
        fail(mortal, leases, ATTEMPTS)
        mortal.receive()
        (letter,) = take(dead)

        assert letter.body == bytes(range(256))
        assert letter.attributes.items() >= {"a": "é", "b": ""}.items()

    @needs("dead_letters")
    def test_it_is_not_there_before(self, mortal: Queue, dead: Queue, leases: Leases) -> None:
        mortal.send(b"1")
        fail(mortal, leases, ATTEMPTS - 1)

        assert dead.receive() == []
        assert leases.one(mortal).attempt == ATTEMPTS

    @needs("dead_letters")
    def test_it_can_be_acknowledged_at_its_last_attempt(self, mortal: Queue, dead: Queue, leases: Leases) -> None:
        mortal.send(b"1")
        fail(mortal, leases, ATTEMPTS - 1)
        leases.one(mortal).ack()
        leases.end()

        assert mortal.receive() == []
        assert dead.receive() == []

    @needs("dead_letters", "retry_delay")
    def test_giving_back_counts_as_an_attempt(self, mortal: Queue, dead: Queue, leases: Leases) -> None:
        mortal.send(b"1")
        for _ in range(ATTEMPTS):
            leases.one(mortal).retry(seconds(0))

        assert mortal.receive() == []
        assert bodies(take(dead)) == [b"1"]

    @needs("dead_letters")
    def test_others_are_received_as_before(self, mortal: Queue, dead: Queue, leases: Leases) -> None:
        mortal.send(b"bad")
        fail(mortal, leases, ATTEMPTS)
        mortal.send(b"good")

        assert drain(mortal) == [b"good"]

    @needs("dead_letters")
    def test_a_dead_letter_has_leases_and_acknowledgements_like_any_message(
        self, mortal: Queue, dead: Queue, leases: Leases
    ) -> None:
        mortal.send(b"1")
        fail(mortal, leases, ATTEMPTS)
        mortal.receive()
        leases.one(dead)
        assert dead.receive() == []
        leases.end()
        leases.one(dead).ack()
        leases.end()

        assert dead.receive() == []

    @needs("dead_letters")
    def test_a_late_acknowledgement_does_not_reach_the_dead_letter(
        self, mortal: Queue, dead: Queue, leases: Leases
    ) -> None:
        mortal.send(b"1")
        fail(mortal, leases, ATTEMPTS - 1)
        last = leases.one(mortal)
        leases.end()
        mortal.receive()
        assert bodies(leases.take(dead)) == [b"1"]
        last.ack()
        leases.end()

        assert bodies(leases.take(dead)) == [b"1"]

    @needs("dead_letters", "groups")
    def test_a_group_goes_on_when_its_first_message_is_dead(self, mortal: Queue, dead: Queue, leases: Leases) -> None:
        mortal.send(b"1", group="g")
        mortal.send(b"2", group="g")
        fail(mortal, leases, ATTEMPTS)
        mortal.receive(1, **leases.options)
        leases.end()

        assert bodies(leases.take(mortal)) == [b"2"]
        assert bodies(take(dead)) == [b"1"]

    @needs("dead_letters")
    def test_a_queue_without_a_dead_letter_queue_keeps_its_messages(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")

        assert fail(queue, leases, ATTEMPTS + 2) == [1, 2, 3, 4, 5, 6, 7]

    @without("dead_letters")
    def test_a_dead_letter_queue_is_refused_where_there_are_none(
        self, make_queue: Callable[..., Queue], dead: Queue
    ) -> None:
        with pytest.raises(Unsupported):
            make_queue(max_attempts=ATTEMPTS, dead_letter=dead).receive()
