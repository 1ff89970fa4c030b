"""Messages in SQLite that had all their attempts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from portable.queue import Queue, Send
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import Message

SECOND = timedelta(seconds=1)
START = 1_700_000_000.123456
Open = Callable[..., Queue]


def one(queue: Queue) -> Message:
    (message,) = queue.receive(1)
    return message


def bodies(queue: Queue, limit: int = 10) -> list[str]:
    return [message.text for message in queue.receive(limit)]


def send_group(queue: Queue, group: str, *texts: str) -> None:
    queue.send_many([Send(text, group=group) for text in texts])


@pytest.fixture
def dead(open_queue: Open) -> Queue:
    return open_queue("thumbs-dead")


@pytest.fixture
def limited(open_queue: Open) -> Queue:
    """Return a queue whose messages have two attempts before they go to `dead`."""
    return open_queue(max_attempts=2, dead_letter="sqlite://thumbs-dead")


def fail(queue: Queue, clock: Any, attempts: int) -> None:
    """Let so many leases run out."""
    for _ in range(attempts):
        assert queue.receive(lease=10 * SECOND)
        clock.pass_time(10)


def test_a_message_has_as_many_attempts_as_it_may(limited: Queue, clock: Any) -> None:
    limited.send("a")
    fail(limited, clock, 1)

    assert one(limited).attempt == 2


def test_a_message_whose_last_lease_ran_out_becomes_a_dead_letter(limited: Queue, dead: Queue, clock: Any) -> None:
    limited.send("a")
    fail(limited, clock, 2)

    assert limited.receive() == []
    assert bodies(dead) == ["a"]


def test_a_message_retried_at_its_last_attempt_is_a_dead_letter_at_once(
    limited: Queue, dead: Queue, clock: Any
) -> None:
    limited.send("a")
    fail(limited, clock, 1)
    one(limited).retry(600 * SECOND)

    assert bodies(dead) == ["a"]


def test_a_message_retried_before_its_last_attempt_stays(limited: Queue, dead: Queue) -> None:
    limited.send("a")
    one(limited).retry(timedelta())

    assert dead.receive() == []
    assert bodies(limited) == ["a"]


def test_a_message_acknowledged_at_its_last_attempt_is_gone(limited: Queue, dead: Queue, clock: Any) -> None:
    limited.send("a")
    fail(limited, clock, 1)
    one(limited).ack()
    clock.pass_time(10)

    assert [limited.receive(), dead.receive()] == [[], []]


def test_a_dead_letter_is_what_was_sent(limited: Queue, dead: Queue, clock: Any) -> None:
    sent = limited.send(b"\x00\xff", attributes={"n": "v"}, group="g")
    fail(limited, clock, 2)
    limited.receive()
    message = one(dead)

    assert (message.id, message.body, message.attributes, message.group) == (sent, b"\x00\xff", {"n": "v"}, "g")
    assert (message.attempt, message.sent) == (1, datetime.fromtimestamp(START, timezone.utc))


def test_a_stale_receipt_does_nothing_to_a_dead_letter(limited: Queue, dead: Queue, clock: Any) -> None:
    limited.send("a")
    fail(limited, clock, 1)
    message = one(limited)
    message.retry()
    message.ack()
    message.retry()

    assert bodies(dead) == ["a"]


def test_poison_does_not_keep_a_receiver_from_good_messages(limited: Queue, clock: Any) -> None:
    limited.send_many([f"poison {number}" for number in range(25)])
    for _ in range(2):
        assert len(limited.receive(25, lease=10 * SECOND)) == 25
        clock.pass_time(10)
    limited.send("good")

    assert bodies(limited, 2) == ["good"]


def test_a_dead_letter_lets_its_group_go_on(limited: Queue, dead: Queue, clock: Any) -> None:
    limited.send("1", group="g")
    fail(limited, clock, 2)
    send_group(limited, "g", "2", "3")

    assert bodies(limited) == ["2", "3"]
    assert bodies(dead) == ["1"]


def test_dead_letters_of_a_group_keep_their_order(limited: Queue, dead: Queue, clock: Any) -> None:
    send_group(limited, "g", "1", "2", "3")
    fail(limited, clock, 2)
    limited.receive()

    assert bodies(dead, 1) == ["1"]
    assert dead.receive() == []


def test_dead_letters_lie_behind_what_their_queue_holds(limited: Queue, dead: Queue, clock: Any) -> None:
    limited.send("a")
    fail(limited, clock, 2)
    dead.send("b")
    clock.pass_time(1)
    limited.receive()

    assert bodies(dead) == ["b", "a"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_attempts": 3}, "max_attempts and dead_letter go together"),
        ({"dead_letter": "sqlite://d"}, "max_attempts and dead_letter go together"),
        ({"max_attempts": 0, "dead_letter": "sqlite://d"}, "max_attempts is 0: it is a whole number, 1 or more"),
        ({"max_attempts": True, "dead_letter": "sqlite://d"}, "max_attempts is True"),
        ({"max_attempts": "3", "dead_letter": "sqlite://d"}, "max_attempts is '3'"),
        ({"max_attempts": 3, "dead_letter": "sqlite://thumbs"}, "name another queue in the same file"),
        ({"max_attempts": 3, "dead_letter": "sqlite:///other.db?name=d"}, "name another queue in the same file"),
        ({"max_attempts": 3, "dead_letter": "sqs://d"}, "name another queue in the same file"),
        ({"max_attempts": 3, "dead_letter": "d"}, "has no scheme"),
        ({"attempts": 3}, "unknown option 'attempts'; known: max_attempts, dead_letter"),
    ],
)
def test_wrong_options_are_refused_when_the_queue_is_opened(
    open_queue: Open, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidArgument, match=says):
        open_queue(**options)


def test_options_that_are_none_are_absent(open_queue: Open) -> None:
    assert open_queue(max_attempts=None, dead_letter=None).send("a")


def test_dead_letters_may_be_named_by_their_file(open_queue: Open, tmp_path: Path) -> None:
    assert open_queue(max_attempts=1, dead_letter=f"sqlite://{tmp_path}/queues.db?name=d").send("a")
