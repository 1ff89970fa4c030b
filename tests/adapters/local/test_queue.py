"""Queues in SQLite, under a clock that the test moves: leases, retries, delays, dedup keys, bodies and addresses."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from portable.queue import Queue, Send
from portable_contracts.errors import InvalidArgument, NotFound, PortableError
from portable_contracts.events import Message

SECOND = timedelta(seconds=1)
START = 1_700_000_000.123456
Open = Callable[..., Queue]


def one(queue: Queue) -> Message:
    (message,) = queue.receive(1)
    return message


def bodies(queue: Queue, limit: int = 10) -> list[str]:
    return [message.text for message in queue.receive(limit)]


def test_a_leased_message_is_nobody_elses_until_the_last_moment(queue: Queue, clock: Any) -> None:
    queue.send("a")
    queue.receive(lease=30 * SECOND)
    clock.pass_time(29.999)

    assert queue.receive() == []


def test_a_message_comes_again_the_moment_its_lease_ends(queue: Queue, clock: Any) -> None:
    queue.send("a")
    queue.receive(lease=30 * SECOND)
    clock.pass_time(10)
    clock.pass_time(20)

    assert one(queue).attempt == 2


def test_a_message_that_comes_again_is_the_same_message(queue: Queue, clock: Any) -> None:
    queue.send("a", attributes={"n": "v"})
    first = one(queue)
    clock.pass_time(30)

    assert one(queue) == first.replace(attempt=2)


def test_a_message_knows_when_it_was_sent(queue: Queue, clock: Any) -> None:
    queue.send("a")
    clock.pass_time(100)

    assert one(queue).sent == datetime.fromtimestamp(START, timezone.utc)


def test_an_ack_after_the_lease_counts_while_nobody_has_the_message(queue: Queue, clock: Any) -> None:
    queue.send("a")
    message = one(queue)
    clock.pass_time(31)
    message.ack()

    assert queue.receive() == []


def test_an_ack_after_the_lease_does_nothing_to_the_next_delivery(queue: Queue, clock: Any) -> None:
    queue.send("a")
    late = one(queue)
    clock.pass_time(30)
    one(queue)
    late.ack()
    clock.pass_time(30)

    assert one(queue).attempt == 3


def test_a_retry_after_the_lease_does_nothing_to_the_next_delivery(queue: Queue, clock: Any) -> None:
    queue.send("a")
    late = one(queue)
    clock.pass_time(30)
    one(queue)
    late.retry(timedelta())

    assert queue.receive() == []


def test_an_extension_after_the_lease_is_not_found(queue: Queue, clock: Any) -> None:
    queue.send("a")
    late = one(queue)
    clock.pass_time(30)

    with pytest.raises(NotFound, match="its lease is over"):
        late.extend(30 * SECOND)


def test_an_extension_of_an_earlier_delivery_is_not_found(queue: Queue, clock: Any) -> None:
    queue.send("a")
    late = one(queue)
    clock.pass_time(30)
    one(queue)

    with pytest.raises(NotFound):
        late.extend(30 * SECOND)


def test_an_extension_counts_from_now(queue: Queue, clock: Any) -> None:
    queue.send("a")
    message = one(queue)
    clock.pass_time(20)
    message.extend(20 * SECOND)
    clock.pass_time(19.999)

    assert queue.receive() == []


def test_an_extended_lease_ends(queue: Queue, clock: Any) -> None:
    queue.send("a")
    message = one(queue)
    message.extend(5 * SECOND)
    clock.pass_time(5)

    assert one(queue).attempt == 2


def test_an_ack_twice_does_nothing(queue: Queue) -> None:
    queue.send("a")
    message = one(queue)
    message.ack()
    message.ack()

    assert queue.receive() == []


def test_an_old_receipt_does_nothing_to_a_message_that_took_its_place(queue: Queue) -> None:
    queue.send("a")
    old = one(queue)
    old.ack()
    queue.send("b")  # SQLite gives it the number of the row that is gone.
    new = one(queue)
    old.ack()
    old.retry(timedelta())
    new.retry(timedelta())

    assert bodies(queue) == ["b"]


def test_an_ack_after_a_retry_does_nothing(queue: Queue) -> None:
    queue.send("a")
    message = one(queue)
    message.retry(timedelta())
    message.ack()

    assert one(queue).attempt == 2


def test_a_retried_message_comes_again_after_its_delay(queue: Queue, clock: Any) -> None:
    queue.send("a")
    one(queue).retry(60 * SECOND)
    clock.pass_time(60)

    assert one(queue).attempt == 2


def test_a_retried_message_does_not_come_before_its_delay(queue: Queue, clock: Any) -> None:
    queue.send("a")
    one(queue).retry(60 * SECOND)
    clock.pass_time(59.999)

    assert queue.receive() == []


def test_a_second_retry_does_nothing(queue: Queue) -> None:
    queue.send("a")
    message = one(queue)
    message.retry(60 * SECOND)
    message.retry(timedelta())

    assert queue.receive() == []


def test_a_retry_without_a_delay_is_no_hot_loop(queue: Queue) -> None:
    queue.send("a")
    one(queue).retry()

    assert queue.receive() == []


def test_a_delayed_message_does_not_come_early(queue: Queue, clock: Any) -> None:
    queue.send("a", delay=900 * SECOND)
    clock.pass_time(899.999)

    assert queue.receive() == []


def test_a_delayed_message_comes_in_time(queue: Queue, clock: Any) -> None:
    queue.send("a", delay=900 * SECOND)
    clock.pass_time(900)

    assert bodies(queue) == ["a"]


def test_a_delay_is_over_when_its_parts_are(queue: Queue, clock: Any) -> None:
    clock.now = 1_700_000_000.0
    queue.send("a", delay=0.3 * SECOND)
    clock.pass_time(0.1)
    clock.pass_time(0.1)
    clock.pass_time(0.1)

    assert bodies(queue) == ["a"]


def test_messages_come_in_the_order_in_which_they_may(queue: Queue, clock: Any) -> None:
    queue.send("delayed", delay=2 * SECOND)
    queue.send("leased")
    one(queue).retry(SECOND)
    clock.pass_time(1.5)
    queue.send("new")
    clock.pass_time(10)
    queue.send("newest")

    assert bodies(queue) == ["leased", "new", "delayed", "newest"]


def test_messages_of_one_moment_come_in_the_order_of_sending(queue: Queue) -> None:
    sent = [str(number) for number in range(100)]
    queue.send_many(sent)

    assert bodies(queue, 100) == sent


def test_a_key_that_was_sent_is_not_delivered_again(queue: Queue) -> None:
    ids = {queue.send("a", dedup="k"), queue.send("b", dedup="k")}

    assert [(message.id, message.text) for message in queue.receive()] == [(*ids, "a")]


def test_a_key_is_remembered_after_its_message_is_gone(queue: Queue) -> None:
    queue.send("a", dedup="k")
    one(queue).ack()
    queue.send("a", dedup="k")

    assert queue.receive() == []


def test_a_key_is_remembered_until_the_window_ends(queue: Queue, clock: Any) -> None:
    queue.send("a", dedup="k")
    clock.pass_time(299.999)
    queue.send("b", dedup="k")

    assert bodies(queue) == ["a"]


def test_a_key_is_forgotten_when_the_window_ends(queue: Queue, clock: Any) -> None:
    queue.send("a", dedup="k")
    clock.pass_time(300)
    queue.send("b", dedup="k")

    assert bodies(queue) == ["a", "b"]


def test_a_message_not_sent_again_does_not_lengthen_the_window(queue: Queue, clock: Any) -> None:
    queue.send("a", dedup="k")
    clock.pass_time(200)
    queue.send("b", dedup="k")
    clock.pass_time(100)
    queue.send("c", dedup="k")

    assert bodies(queue) == ["a", "c"]


def test_forgotten_keys_leave_the_file(queue: Queue, clock: Any) -> None:
    queue.send_many([Send("a", dedup=str(number)) for number in range(50)])
    clock.pass_time(300)
    queue.send("a", dedup="k")

    assert queue.native().execute("SELECT count(*) FROM dedup").fetchone() == (1,)


def test_one_batch_may_hold_a_key_twice(queue: Queue) -> None:
    first, second, third = queue.send_many([Send("a", dedup="k"), Send("b", dedup="k"), Send("c", dedup="l")])

    assert first == second != third
    assert bodies(queue) == ["a", "c"]


def test_a_key_of_one_queue_is_not_that_of_another(queue: Queue, open_queue: Open) -> None:
    queue.send("a", dedup="k")
    other = open_queue("other")
    other.send("b", dedup="k")

    assert bodies(other) == ["b"]


def test_a_key_is_remembered_by_a_queue_that_is_opened_anew(queue: Queue, open_queue: Open) -> None:
    queue.send("a", dedup="k")
    open_queue().send("b", dedup="k")

    assert bodies(queue) == ["a"]


@pytest.mark.parametrize("body", [b"", bytes(range(256)), b"\x00", os.urandom(1024**2)], ids=len)
def test_a_body_comes_back_byte_for_byte(queue: Queue, body: bytes) -> None:
    queue.send(body)

    assert one(queue).body == body


def test_a_message_without_attributes_has_none(queue: Queue) -> None:
    queue.send("a")

    assert one(queue).attributes == {}


def test_queues_of_one_file_do_not_mix(queue: Queue, open_queue: Open) -> None:
    queue.send("a")

    assert open_queue("other").receive() == []


def test_a_queue_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    Queue.at(f"sqlite://{tmp_path}/app.db?name=jobs").send("a")

    assert bodies(Queue.at(f"sqlite://{tmp_path}/app.db?name=jobs&synchronous=full")) == ["a"]


@pytest.mark.parametrize("address", ["sqlite://", "sqlite://a b", "sqlite://q?sync=full", "sqlite:///f.db"])
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match=r"address"):
        Queue.at(address)


def test_a_file_that_holds_something_else_is_named(queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "queues.db").write_bytes(b"no database " * 100)

    with pytest.raises(PortableError, match=rf"receive in queue thumbs: .*{re.escape(str(tmp_path))}/queues.db"):
        queue.receive()


def test_an_empty_queue_has_no_next_moment(queue: Queue) -> None:
    assert queue._connection.driver.next_due() is None


def test_the_next_moment_is_that_of_the_first_message_to_come(queue: Queue) -> None:
    queue.send("a", delay=60 * SECOND)
    queue.send("b", delay=30 * SECOND)

    assert queue._connection.driver.next_due() == pytest.approx(START + 30, abs=0.001)
