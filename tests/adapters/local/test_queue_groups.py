"""Ordering groups in SQLite: who holds back whom, and what that costs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portable.queue import Queue, Send
from portable_contracts.events import Message
from portable_local import _queue_sql as sql

SECOND = timedelta(seconds=1)
Open = Callable[..., Queue]


def one(queue: Queue) -> Message:
    (message,) = queue.receive(1)
    return message


def bodies(queue: Queue, limit: int = 10) -> list[str]:
    return [message.text for message in queue.receive(limit)]


def send_group(queue: Queue, group: str, *texts: str) -> None:
    queue.send_many([Send(text, group=group) for text in texts])


def test_one_receive_gives_a_group_in_order(queue: Queue) -> None:
    send_group(queue, "g", "1", "2", "3")

    assert bodies(queue) == ["1", "2", "3"]


def test_a_leased_message_holds_back_those_behind_it(queue: Queue) -> None:
    send_group(queue, "g", "1", "2")
    one(queue)

    assert queue.receive() == []


def test_an_acknowledged_message_lets_the_next_come(queue: Queue) -> None:
    send_group(queue, "g", "1", "2")
    one(queue).ack()

    assert bodies(queue) == ["2"]


def test_other_groups_and_messages_without_one_are_not_held_back(queue: Queue) -> None:
    send_group(queue, "g", "1", "2")
    one(queue)
    send_group(queue, "h", "a", "b")
    queue.send("x")

    assert sorted(bodies(queue)) == ["a", "b", "x"]


def test_each_group_gets_into_a_small_batch(queue: Queue) -> None:
    send_group(queue, "g", "g1", "g2", "g3")
    send_group(queue, "h", "h1", "h2", "h3")

    assert bodies(queue, 3) == ["g1", "h1", "g2"]


def test_a_group_comes_no_faster_than_it_is_acknowledged(queue: Queue) -> None:
    send_group(queue, "g", "1", "2", "3", "4")
    first, second = queue.receive(2)
    second.ack()

    assert queue.receive() == []
    first.ack()
    assert bodies(queue) == ["3", "4"]


def test_a_retried_message_holds_back_those_behind_it(queue: Queue, clock: Any) -> None:
    send_group(queue, "g", "1", "2")
    one(queue).retry(60 * SECOND)
    clock.pass_time(59)

    assert queue.receive() == []


def test_a_retried_message_comes_before_those_behind_it(queue: Queue, clock: Any) -> None:
    send_group(queue, "g", "1", "2")
    one(queue).retry(60 * SECOND)
    clock.pass_time(60)

    assert bodies(queue) == ["1", "2"]


def test_a_retried_message_waits_for_the_receiver_of_those_behind_it(queue: Queue) -> None:
    send_group(queue, "g", "1", "2")
    first, second = queue.receive()
    first.retry(timedelta())

    assert queue.receive() == []
    second.retry(timedelta())
    assert bodies(queue) == ["1", "2"]


def test_a_batch_of_a_group_stops_at_a_message_that_waits(queue: Queue) -> None:
    send_group(queue, "g", "1", "2", "3")
    first, second, third = queue.receive()
    for message, delay in ((first, 0), (second, 60), (third, 0)):
        message.retry(delay * SECOND)

    assert bodies(queue) == ["1"]


def test_a_delayed_first_message_holds_back_its_group(queue: Queue, clock: Any) -> None:
    queue.send("1", group="g", delay=60 * SECOND)
    queue.send("2", group="g")

    assert queue.receive() == []
    clock.pass_time(60)
    assert bodies(queue) == ["1", "2"]


def test_a_delayed_message_behind_the_first_keeps_its_delay(queue: Queue, clock: Any) -> None:
    queue.send("1", group="g")
    queue.send("2", group="g", delay=60 * SECOND)
    one(queue).ack()

    assert queue.receive() == []
    clock.pass_time(60)
    assert bodies(queue) == ["2"]


def test_a_group_goes_on_in_order_after_its_receiver_is_lost(queue: Queue, clock: Any) -> None:
    send_group(queue, "g", "1", "2", "3")
    queue.receive(2, lease=30 * SECOND)
    clock.pass_time(30)

    assert [(message.text, message.attempt) for message in queue.receive()] == [("1", 2), ("2", 2), ("3", 1)]


def test_an_extended_lease_of_a_later_message_holds_back_the_group(queue: Queue, clock: Any) -> None:
    send_group(queue, "g", "1", "2")
    _, second = queue.receive(lease=30 * SECOND)
    second.extend(60 * SECOND)
    clock.pass_time(59)

    assert queue.receive() == []
    clock.pass_time(1)
    assert bodies(queue) == ["1", "2"]


def test_acks_together_let_a_group_go_on(queue: Queue) -> None:
    send_group(queue, "g", "1", "2", "3")
    queue.ack_many(queue.receive(2))

    assert bodies(queue) == ["3"]


def test_a_group_may_be_sent_to_again_when_it_was_emptied(queue: Queue) -> None:
    send_group(queue, "g", "1")
    one(queue).ack()
    send_group(queue, "g", "2")

    assert bodies(queue) == ["2"]


def test_a_group_of_one_queue_is_not_that_of_another(queue: Queue, open_queue: Open) -> None:
    send_group(queue, "g", "1")
    one(queue)
    other = open_queue("other")
    send_group(other, "g", "2")

    assert bodies(other) == ["2"]


@pytest.mark.parametrize(
    "statement",
    [sql.SEND_IN_GROUP, sql.NEXT_DUE, sql.DUE, sql.BEHIND, sql.LEASE, sql.RETRY, sql.EXTEND, sql.ACK, sql.MOVE,
     sql.REMOVE, sql.FIRST_OF_GROUP, sql.FORGET, sql.REMEMBERED],
)  # fmt: skip
def test_no_statement_reads_more_rows_than_it_needs(queue: Queue, statement: str) -> None:
    rows = queue.native().execute(f"EXPLAIN QUERY PLAN {statement}", [1] * statement.count("?"))
    plan = [row[3] for row in rows]

    assert not [step for step in plan if re.search("SCAN (message|other|dedup)|TEMP B-TREE", step)]
